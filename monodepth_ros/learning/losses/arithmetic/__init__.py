"""What several losses compute, and how it is computed fast."""
