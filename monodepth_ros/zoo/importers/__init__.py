"""Weights published by others, one file for each source."""
