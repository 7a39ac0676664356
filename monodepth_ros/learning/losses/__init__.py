"""The losses; those of a kind share a file."""
