"""The tiny model, and the cache of its exports, that the tests of this folder share."""

from exported_model import exports_cache, shared_cache  # noqa: F401 - fixtures
from tiny_model import card, model, states, uncertain_model  # noqa: F401 - fixtures
