"""The size of images that a network takes, as people write it."""

from __future__ import annotations

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import parse_size


def network_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) of ``--size WIDTHxHEIGHT``, None without it; UserError for what is none."""
    try:
        return None if text is None else parse_size(text)
    except ValueError as error:
        raise UserError(f"--size {error}") from None
