"""Rigid motions, pinhole cameras, back-projection, projection and warping."""
