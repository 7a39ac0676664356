"""What a model folder is: card, weights, catalogue of names, versions, importers."""
