"""The depth and pose networks."""
