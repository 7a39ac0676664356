"""Depth and masks at the network's size, where values must not be mixed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def resize_nearest(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """The pixel whose centre is nearest, for depth and masks: HxW to (height, width).

    Pixel areas are aligned as in `image_size.resize_image`, so that truth stays on its object.
    """
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, array.shape, strict=True)
    )
    return array[rows[:, None], columns]


def resize_valid(valid: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Bool HxW at ``size`` (height, width): true where `image_size.resize_image` mixes in nothing
    but valid pixels.
    """
    if valid.shape == size:
        return valid
    invalid = np.zeros((valid.shape[0] + 1, valid.shape[1] + 1), np.int64)  # counted from (0, 0)
    np.cumsum(np.cumsum(~valid, 0), 1, out=invalid[1:, 1:])
    (top, bottom), (left, right) = (
        _support(old, new) for old, new in zip(valid.shape, size, strict=True)
    )
    upper, lower = (invalid[rows][:, right] - invalid[rows][:, left] for rows in (top, bottom))
    return np.asarray(lower == upper)


def _support(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel, and the one behind the last, whose weight in each new pixel is above 0."""
    step = old / new
    reach = max(step, 1.0)
    centre = (np.arange(new) + 0.5) * step - 0.5
    first = np.floor(centre - reach + 1).clip(0, old - 1)
    behind = np.ceil(centre + reach).clip(1, old)
    return first.astype(np.int64), behind.astype(np.int64)
