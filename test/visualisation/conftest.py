"""The tiny model that the tests of this folder share."""

from tiny_model import card, model, states  # noqa: F401 - fixtures
