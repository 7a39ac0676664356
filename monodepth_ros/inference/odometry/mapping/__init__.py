"""What geometric odometry is made of: landmarks, their window, and poses by them."""
