"""Path-traced worlds with true depth, poses and reflection masks."""
