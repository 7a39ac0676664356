"""Evidence: how much an image shows, pixel by pixel. Where it shows nothing, depth is a guess."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.half_size import halved, sampled

Map = NDArray[np.float32]

# Structure is what lies between means of 3x3 and of 9x9 pixels, in grey levels (root mean square).
# Plain walls have 0.3 and more, what lies against a lens has less than 0.2, mostly of noise.
_NOTHING, _ENOUGH = 0.1, 0.25
# Its share of what lies below 9 pixels: a tenth of noise that differs from pixel to pixel, a sixth
# after an image of such noise was made smaller, most of what scenes consist of.
_NOISE, _SCENE = 0.15, 0.20
_FINE, _COARSE = (3, 3), (9, 9)
_BLACK, _WHITE = (0, 2), (253, 255)  # of all three colours
# From here on of half the size.
_AROUND = (7, 7)
_SMALLEST = 5  # pixels: a part that shows nothing and is smaller is known by what is around it
_REACH = 4  # pixels, from which the numbers above take something in
_KERNEL = np.ones((_SMALLEST,) * 2, np.uint8)
_GROWING = np.ones((_SMALLEST + 2 * _REACH,) * 2, np.uint8)


def evidence(image: NDArray[np.uint8]) -> Map:
    """How much an image, uint8 ``(h, w, 3)``, shows, from 0 to 1: ``(h / 2, w / 2)``.

    0 where it is black, white, of one colour, out of focus or nothing but noise (a covered lens,
    a lamp, glare): the network guesses there.
    """
    grey: Any = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)
    coarse = cv2.blur(grey, _COARSE)
    structure = _power(cv2.blur(grey, _FINE) - coarse)
    share = structure / np.maximum(_power(grey - coarse), np.float32(1e-6))
    shown = _ramp(np.sqrt(structure), _NOTHING, _ENOUGH) * _ramp(share, _NOISE, _SCENE)
    seen = sampled(image)
    clipped = _all_within(seen, *_BLACK) | _all_within(seen, *_WHITE)
    shown[clipped] = 0
    # Large parts without evidence are cut short all round by what is beside them: they grow back.
    grown = np.asarray(cv2.erode(cv2.dilate(shown, _KERNEL), _GROWING), np.float32)
    grown[clipped] = 0
    return grown


def _power(values: NDArray[Any]) -> NDArray[Any]:
    """Mean square around each pixel, at half the size."""
    return np.maximum(cv2.blur(halved(values * values), _AROUND), np.float32(0))


def _all_within(image: NDArray[np.uint8], low: int, high: int) -> NDArray[np.bool_]:
    """Whether all three colours are."""
    return np.asarray(cv2.inRange(image, (low,) * 3, (high,) * 3) > 0)


def _ramp(values: NDArray[Any], low: float, high: float) -> NDArray[Any]:
    """From 0 at ``low`` to 1 at ``high``."""
    slope = np.float32(1 / (high - low))
    return np.clip((values - np.float32(low)) * slope, np.float32(0), np.float32(1))
