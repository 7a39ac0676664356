"""How many of their 16 bits the images of one camera use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.notes import tell_once

_USUAL = (8, 10, 12, 14, 16)  # bits of a sensor
_HOT = 10_000  # one value in as many may be too bright: a broken pixel, not the sensor's range


class BitDepth:
    """One scale for all 16-bit images of a stream, by the brightest image that was ever seen.

    A sensor of 12 bits fills values up to 4095 of 65535. Its images become 8 bits by their own
    upper eight. A brighter image than all before raises the bits, which is said; nothing lowers
    them, so a dark image stays dark. Single values above the bits in use become white, which is
    said once.
    """

    def __init__(self, name: str, say: Callable[[str], None] = tell_once) -> None:
        """``name`` is what the messages call the stream; ``say`` takes one when bits change."""
        self._name, self._say = name, say
        self._seen = _USUAL[0]  # bits of the brightest image so far
        self._used: int | None = None  # bits that the last image was scaled by
        self._saturated = False  # whether an image had values above them

    def look(self, pixels: NDArray[np.uint16]) -> None:
        """Take an image into account that is not scaled now, as the first ones of a recording."""
        if int(pixels.max(initial=0)) >> self._seen:
            self._seen = max(self._seen, bits_in_use(pixels))

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
        eight = pixels >> (bits - 8)
        if int(eight.max(initial=0)) > 255:
            self._say_saturated(pixels)
        return np.minimum(eight, 255).astype(np.uint8)

    def _say_saturated(self, pixels: NDArray[np.uint16]) -> None:
        if not self._saturated:
            count = np.count_nonzero(pixels >> self._seen)
            self._say(
                f"{self._name}: {count} of {pixels.size} values of an image are above the"
                f" {self._seen} bits in use, up to {pixels.max()}: taken for broken pixels, shown"
                " white"
            )
        self._saturated = True


def bits_in_use(pixels: NDArray[np.uint16]) -> int:
    """The fewest usual bits that hold all values of an image but one in ten thousand, or one."""
    allowed = -(-pixels.size // _HOT)
    return next(bits for bits in _USUAL if np.count_nonzero(pixels >> bits) <= allowed)
