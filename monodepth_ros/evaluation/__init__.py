"""Depth and odometry metrics, protocols and reports."""
