"""RVL, the lossless compression of depth images of Wilson, "Fast Lossless Depth Image Compression".

ISS 2017. An image is a series of runs: a number of zeros, a number of pixels that are not zero, and
the difference of each of these to the one before. Numbers are three bits to the nibble, lowest
first, the fourth bit says that more follow; nibbles lie in 32-bit words, the highest first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LONGEST = 10  # nibbles of a number: 30 bits


def decode_rvl(data: bytes, height: int, width: int) -> NDArray[np.uint16]:
    """The image, uint16 HxW. ValueError where ``data`` is not one of this size.

    The texts of the errors are few, so that images can be counted by them.
    """
    numbers = _numbers(data)
    pixels = height * width
    filled = np.zeros(pixels, bool)
    deltas: list[NDArray[np.int64]] = []
    at = done = 0
    while done < pixels:
        if at + 2 > len(numbers):
            raise ValueError("the data ends before the last pixel")
        zeros, values = int(numbers[at]), int(numbers[at + 1])
        at += 2
        if zeros + values == 0 or done + zeros + values > pixels or at + values > len(numbers):
            raise ValueError("a run of pixels does not fit into the image")
        filled[done + zeros : done + zeros + values] = True
        deltas.append(numbers[at : at + values])
        done, at = done + zeros + values, at + values
    if numbers[at:].any():
        raise ValueError("data is left behind the last pixel")
    return _image(filled, np.concatenate(deltas)).reshape(height, width)


def _numbers(data: bytes) -> NDArray[np.int64]:
    """All numbers of the stream, those of the padding included."""
    words = np.frombuffer(data, "<u4", len(data) // 4)
    nibbles = (words[:, None] >> np.arange(28, -1, -4, dtype=np.uint32) & 15).reshape(-1)
    last = np.flatnonzero(nibbles < 8)  # of each number
    if not last.size:
        raise ValueError("the data holds no number")
    nibbles = nibbles[: last[-1] + 1].astype(np.int64)
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > _LONGEST:
        raise ValueError("a number is too long")
    place = np.arange(len(nibbles)) - np.repeat(first, lengths)
    return np.add.reduceat((nibbles & 7) << (3 * place), first)


def _image(filled: NDArray[np.bool_], deltas: NDArray[np.int64]) -> NDArray[np.uint16]:
    # 0, 1, 2, 3, 4 stand for 0, -1, 1, -2, 2.
    values = np.cumsum((deltas >> 1) ^ -(deltas & 1))
    if values.size and (values.min() < 1 or values.max() > 65535):
        raise ValueError("a value is not one of 16 bits")
    image = np.zeros(len(filled), np.uint16)
    image[filled] = values
    return image
