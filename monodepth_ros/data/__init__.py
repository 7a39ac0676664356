"""Recorded and synthetic image sequences, training samples and augmentation."""
