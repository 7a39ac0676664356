"""From a model folder and images to depth and camera motion."""
