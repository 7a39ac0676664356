"""Monocular depth and visual odometry that learn from video, for ROS 2."""
