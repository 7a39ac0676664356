"""What differs between two requests, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested mappings by dotted keys."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def difference(former: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first key whose value is another, with both values; empty where all are the same.

    A key that one of them lacks counts as None, which is told as "not given".
    """
    for key in dict.fromkeys([*now, *former]):
        old, new = former.get(key), now.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return f"{key}.{difference(old, new)}"
        if isinstance(old, (list, dict)) and isinstance(new, (list, dict)):
            return f"{key} has other values now"
        return f"{key} was {_describe(old)} and is {_describe(new)} now"
    return ""


def _describe(value: Any) -> str:
    if value is None:
        return "not given"
    return "given" if isinstance(value, (list, dict)) else f"{value}"
