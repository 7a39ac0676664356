"""Recordings, images and videos through estimator and tracker, offline."""
