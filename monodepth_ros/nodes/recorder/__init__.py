"""The node that records."""
