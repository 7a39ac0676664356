"""Image, depth and video files as arrays."""
