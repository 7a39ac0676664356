"""Fine-tuning on recordings, to a verdict."""
