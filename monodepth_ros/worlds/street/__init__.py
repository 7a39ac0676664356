"""Streets: road, buildings, objects."""
