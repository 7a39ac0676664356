"""Arrays to image messages, with one copy of the memory.

Arrays follow the package's conventions: uint8 HxWx3 RGB, float32 HxW depth in metres with NaN where
there is none. The other way is `data.bags.messages.image`.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

Pixels = NDArray[Any]


def encode_image(
    pixels: NDArray[np.uint8], encoding: str, header: Header, message: Image | None = None
) -> Image:
    """Uint8 HxWx3 RGB as ``rgb8`` or ``bgr8``, or uint8 HxW as ``mono8``.

    ``message`` is filled and returned, in the memory that it has; None for a new one.
    """
    if encoding == "bgr8":
        pixels = pixels[:, :, ::-1]
    elif encoding not in ("rgb8", "mono8"):
        raise ValueError(f"images are published as rgb8, bgr8 or mono8, not {encoding!r}")
    return _image(pixels, encoding, header, message)


def encode_depth(
    depth: NDArray[np.float32], encoding: str, header: Header, message: Image | None = None
) -> Image:
    """Depth in metres, float32 HxW, as ``32FC1`` (NaN invalid) or ``16UC1`` (mm, 0 invalid).

    What 16 bits cannot hold, more than 65.535 m, becomes invalid (REP 118). ``message`` as of
    `encode_image`.
    """
    if encoding == "32FC1":
        return _image(depth.astype("<f4", copy=False), encoding, header, message)
    if encoding != "16UC1":
        raise ValueError(f"depth is published as 32FC1 or 16UC1, not {encoding!r}")
    millimetres = np.nan_to_num(depth.astype(np.float64) * 1000.0, nan=0.0, posinf=0.0, neginf=0.0)
    millimetres = np.rint(millimetres)
    millimetres[(millimetres < 1) | (millimetres > 65535)] = 0
    return _image(millimetres.astype("<u2"), encoding, header, message)


def filled(values: Pixels) -> array[int]:
    """The bytes of ``values`` as what a message's ``data`` takes."""
    data = array("B")
    fill(data, values)
    return data


def fill(data: array[int], values: Pixels) -> None:
    """Make the ``data`` of a message the bytes of ``values``, by one copy.

    In the memory that it has where the length stays: new memory takes longer than the copy. So does
    setting ``data``, which newer versions of ROS copy.
    """
    source = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    if len(data) == source.size:
        np.frombuffer(data, np.uint8)[:] = source
    else:
        del data[:]
        data.frombytes(source.data)


def _image(pixels: Pixels, encoding: str, header: Header, message: Image | None) -> Image:
    message = Image() if message is None else message
    message.header = header
    message.height, message.width = pixels.shape[:2]
    message.encoding = encoding
    message.is_bigendian = 0
    message.step = pixels.itemsize * int(np.prod(pixels.shape[1:]))
    fill(message.data, pixels)
    return message
