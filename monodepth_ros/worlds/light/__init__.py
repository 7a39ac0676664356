"""Light computed before frames are rendered."""
