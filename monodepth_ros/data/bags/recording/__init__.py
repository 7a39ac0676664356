"""Bags written: by the recorder, on a disk that fills, whatever kills it."""
