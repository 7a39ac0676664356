"""How encodings of ROS store pixels, and what makes RGB of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]

# Encodings that hold depth, in metres and in millimetres. mono16 may as well, where a user says so.
DEPTH_ENCODINGS = ("32FC1", "16UC1")


@dataclass(frozen=True)
class Encoding:
    """How a pixel is stored, and what makes 8-bit RGB of 8-bit pixels."""

    dtype: str
    channels: int
    to_rgb: Callable[[Pixels], Pixels]


def _grey(pixels: Pixels) -> Pixels:
    return np.repeat(pixels[:, :, None], 3, axis=2)


def _swapped(pixels: Pixels) -> Pixels:
    return pixels[:, :, 2::-1]


def _first_three(pixels: Pixels) -> Pixels:
    return pixels[:, :, :3]


def _converted(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code))


# OpenCV names a Bayer pattern by its second row, ROS by its first.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
_UYVY, _YUYV = _converted(cv2.COLOR_YUV2RGB_UYVY), _converted(cv2.COLOR_YUV2RGB_YUYV)
COLOUR_ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding("u1", 3, _first_three),
    "bgr8": Encoding("u1", 3, _swapped),
    "rgba8": Encoding("u1", 4, _first_three),
    "bgra8": Encoding("u1", 4, _swapped),
    "mono8": Encoding("u1", 1, _grey),
    "rgb16": Encoding("u2", 3, _first_three),
    "bgr16": Encoding("u2", 3, _swapped),
    "rgba16": Encoding("u2", 4, _first_three),
    "bgra16": Encoding("u2", 4, _swapped),
    "mono16": Encoding("u2", 1, _grey),
    "8UC1": Encoding("u1", 1, _grey),
    "8UC3": Encoding("u1", 3, _swapped),  # OpenCV's order
    "8UC4": Encoding("u1", 4, _swapped),
    "16UC3": Encoding("u2", 3, _swapped),
    "16UC4": Encoding("u2", 4, _swapped),
    "yuv422": Encoding("u1", 2, _UYVY),
    "uyvy": Encoding("u1", 2, _UYVY),
    "yuv422_yuy2": Encoding("u1", 2, _YUYV),
    "yuyv": Encoding("u1", 2, _YUYV),
    **{f"{name}8": Encoding("u1", 1, _converted(code)) for name, code in _BAYER.items()},
    **{f"{name}16": Encoding("u2", 1, _converted(code)) for name, code in _BAYER.items()},
}
HALF_WIDTH_CHROMA = tuple(
    name for name, e in COLOUR_ENCODINGS.items() if e.to_rgb in (_UYVY, _YUYV)
)


@dataclass(frozen=True)
class PlanarEncoding:
    """A plane of brightness, and behind it one of pairs of colour.

    ``chroma`` is how many pixels of each side share a pair.
    """

    chroma: int
    blue_first: bool


PLANAR_ENCODINGS = {
    "nv12": PlanarEncoding(2, True),
    "nv21": PlanarEncoding(2, False),
    "nv24": PlanarEncoding(1, True),
}


def has_eight_bits(encoding: str) -> bool:
    """Whether an encoding is of camera images with 8 bits a channel."""
    return encoding in PLANAR_ENCODINGS or (
        encoding in COLOUR_ENCODINGS and COLOUR_ENCODINGS[encoding].dtype == "u1"
    )


# BT.601 of studio range, as OpenCV converts the other YUV encodings.
_YUV_TO_RGB = np.array(
    [
        [1.164383, 0.0, 1.596027, -16 * 1.164383 - 128 * 1.596027],
        [1.164383, -0.391762, -0.812968, -16 * 1.164383 + 128 * (0.391762 + 0.812968)],
        [1.164383, 2.017232, 0.0, -16 * 1.164383 - 128 * 2.017232],
    ],
    np.float32,
)


def planar_to_rgb(
    data: Pixels, height: int, width: int, row: int, rows: int, stored: PlanarEncoding
) -> Pixels:
    """Uint8 HxWx3 of the bytes ``data``: ``rows`` of brightness of ``row`` bytes, then colours."""
    step = stored.chroma
    brightness = data[: height * row].reshape(height, row)[:, :width]
    begin, length = rows * row, 2 * row // step
    below = data[begin : begin + height // step * length].reshape(height // step, length)
    pairs = below[:, : 2 * width // step].reshape(height // step, width // step, 2)
    pairs = pairs if stored.blue_first else pairs[:, :, ::-1]
    if step > 1:
        pairs = pairs.repeat(step, axis=0).repeat(step, axis=1)
    return np.asarray(cv2.transform(np.dstack([brightness, pairs]), _YUV_TO_RGB))
