"""Recipes: what `monodepth train` runs."""
