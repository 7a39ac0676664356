"""The node that tunes on board."""
