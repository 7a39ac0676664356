"""`monodepth evaluate`, one file for each of its commands."""
