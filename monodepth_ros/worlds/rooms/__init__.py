"""Rooms: plans, furniture, gloss."""
