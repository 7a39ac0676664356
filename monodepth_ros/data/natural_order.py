"""The order in which a person would sort names: by the numbers in them."""

from __future__ import annotations

import re
from decimal import Decimal

# A time in seconds is one number: a name that is nothing else, or one as long as those since 1970.
# In other names a point only separates.
_NUMBER = re.compile(r"(^\d+\.\d+(?=$|\.\D)|\d{9,}\.\d+|\d+)")


def natural_order(name: str) -> tuple[list[str | Decimal], str]:
    """A key to sort names by: frame2 before frame10, 1305031102.5 behind 1305031102.175304."""
    parts = _NUMBER.split(name)
    key: list[str | Decimal] = [part.casefold() for part in parts]
    key[1::2] = [Decimal(part) for part in parts[1::2]]
    return key, name
