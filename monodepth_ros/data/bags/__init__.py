"""Bags of ROS 1 and ROS 2 without ROS: reading, extraction and what they know of their frames."""
