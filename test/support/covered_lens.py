"""What can hide a part of an image, or all of it: covers, darkness, glare, noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
_Paint = Callable[[NDArray[np.float32], np.random.Generator], NDArray[np.float64]]


def _noise(image: NDArray[np.float32], random: np.random.Generator, stddev: float) -> NDArray:
    return np.asarray(random.normal(0, stddev, image.shape))


def _finger(image: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float64]:
    """Dark red, brighter to one side, with the noise of a sensor in the dark."""
    shade = np.linspace(15, 60, image.shape[1])[None, :, None] * np.array([1.0, 0.35, 0.25])
    return np.asarray(shade + _noise(image, random, 3))


def _blurred(image: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float64]:
    """Something close before the lens: no detail is left, and little light."""
    soft = cv2.GaussianBlur(image, (0, 0), max(image.shape) / 3)
    return np.asarray(0.4 * soft + _noise(image, random, 2))


COVERS: dict[str, _Paint] = {
    "black": lambda image, random: np.zeros(image.shape),
    "dark with noise": lambda image, random: 6 + _noise(image, random, 3),
    "one colour": lambda image, random: np.full(image.shape, 1.0) * random.uniform(30, 220, 3),
    "grey with noise": lambda image, random: 110 + _noise(image, random, 4),
    "finger": _finger,
    "blurred": _blurred,
    "white": lambda image, random: np.full(image.shape, 255.0),
    "overexposed": lambda image, random: 8.0 * image + 120 + _noise(image, random, 3),
    "glare with noise": lambda image, random: 252 + _noise(image, random, 3),
    "noise": lambda image, random: random.uniform(0, 255, image.shape),
}


def covered(rgb: Rgb, kind: str, region: tuple[slice, slice], random: np.random.Generator) -> Rgb:
    """``rgb`` with a ``region`` of it hidden by one of `COVERS`."""
    hidden = rgb.copy()
    inside = hidden[region].astype(np.float32)
    hidden[region] = COVERS[kind](inside, random).round().clip(0, 255).astype(np.uint8)
    return hidden


def some_region(
    size: tuple[int, int], random: np.random.Generator, share: tuple[float, float] = (0.25, 0.6)
) -> tuple[slice, slice]:
    """A rectangle of random place, its sides that ``share`` of the image's."""
    sides = [int(side * random.uniform(*share)) for side in size]
    starts = [int(random.integers(0, side - part)) for side, part in zip(size, sides, strict=True)]
    first, second = (slice(start, start + part) for start, part in zip(starts, sides, strict=True))
    return first, second
