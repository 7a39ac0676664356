"""The contents of the launch files."""
