"""What the launch files start."""
