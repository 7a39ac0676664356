"""What `extract` and `tune` share."""
