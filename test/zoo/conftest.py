"""The tiny model that the tests of this folder share."""

from tiny_model import card, model, states, uncertain_model  # noqa: F401 - fixtures
