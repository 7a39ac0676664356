"""How many of their 16 bits the images of one camera use."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_USUAL = (8, 10, 12, 14, 16)  # bits of a sensor


def _say(text: str) -> None:
    print(text, file=sys.stderr)


class BitDepth:
    """One scale for all 16-bit images of a stream, by the largest value that was ever seen.

    A sensor of 12 bits fills values up to 4095 of 65535. Its images become 8 bits by their own
    upper eight. A brighter image than all before raises the bits, which is said; nothing lowers
    them, so a dark image stays dark.
    """

    def __init__(self, name: str, say: Callable[[str], None] = _say) -> None:
        """``name`` is what the messages call the stream; ``say`` takes one when bits change."""
        self._name, self._say = name, say
        self._seen = 0  # bits of the brightest image so far
        self._used: int | None = None  # bits that the last image was scaled by

    def look(self, pixels: NDArray[np.uint16]) -> None:
        """Take an image into account that is not scaled now, as the first ones of a recording."""
        largest = int(pixels.max(initial=0))
        self._seen = max(self._seen, next(bits for bits in _USUAL if largest < 1 << bits))

    def eight_bits(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """The upper eight of the bits in use, of the same shape."""
        self.look(pixels)
        bits = self._seen
        if self._used is None and bits < _USUAL[-1]:
            self._say(f"{self._name}: {bits} of 16 bits are in use; images are scaled by that")
        if self._used is not None and bits > self._used:
            self._say(
                f"{self._name}: an image uses {bits} bits, those before used {self._used};"
                f" from here on images are scaled by {bits} bits"
            )
        self._used = bits
        return (pixels >> (bits - 8)).astype(np.uint8)
