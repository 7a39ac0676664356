"""How far depth may be wrong: from what the image shows, from depth's shape, from the network."""
