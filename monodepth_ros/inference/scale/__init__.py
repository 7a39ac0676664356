"""The unit of depth and motion: of the card, and metres by what a robot knows."""
