"""Losses and the training of depth and pose networks."""
