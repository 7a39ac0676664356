"""Scale over a recording: do depth and motion agree, and does it drift."""
