"""Synthetic worlds made by program and path-traced, with true depth, poses and reflections."""
