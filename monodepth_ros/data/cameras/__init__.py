"""Cameras of recordings: stated, calibrated, guessed, and checked against the images."""
