"""Training samples: triplets, their cache, their spacing, augmentation."""
