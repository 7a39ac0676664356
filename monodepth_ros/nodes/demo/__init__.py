"""The other side of the nodes in a demo."""
