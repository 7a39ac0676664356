"""A model's networks as files for other runtimes, with proof that these compute the same."""
