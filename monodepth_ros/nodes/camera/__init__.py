"""The nodes of a camera: depth and odometry."""
