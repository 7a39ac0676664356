"""Recordings turned into sequence folders: what was asked for and what came of it."""
