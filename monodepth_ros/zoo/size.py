"""Sizes of a network's input as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer


def parse_size(value: Any) -> tuple[int, int]:
    """``"640x192"`` (width x height, as users write it) to a network size ``(height, width)``."""
    if isinstance(value, (tuple, list)) and len(value) == 2:
        height, width = (int(v) for v in value)
    else:
        match = re.fullmatch(r"\s*(\d{1,5})\s*x\s*(\d{1,5})\s*", str(value))
        if match is None:
            raise ValueError(f"{value!r} is not WIDTHxHEIGHT, for example 640x192")
        width, height = int(match[1]), int(match[2])
    if width <= 0 or height <= 0:
        raise ValueError(f"{width}x{height}: both must be positive")
    return height, width


NetworkSize = Annotated[
    tuple[int, int],
    BeforeValidator(parse_size),
    PlainSerializer(lambda size: f"{size[1]}x{size[0]}"),
]
