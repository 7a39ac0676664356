"""One file for each public layout of recordings."""
