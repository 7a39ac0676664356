"""How many bits the 16-bit images of a camera use."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.notes import print_once

_USUAL = (8, 10, 12, 14, 16)  # bits of a sensor
_OUTLIERS = 10_000  # one value in so many may be brighter than the sensor's range: broken pixels


class BitDepth:
    """One scale for all 16-bit images of a stream, from the brightest image so far.

    A 12-bit sensor uses values up to 4095 of 65535; its 8-bit images are the upper eight of its 12
    bits. A brighter image raises the number of bits, with a warning; nothing lowers it, so a dark
    image stays dark. Single values above the bits in use become white, with one warning.
    """

    def __init__(self, name: str, warn: Callable[[str], None] = print_once) -> None:
        """``name`` is the stream in warnings, which are passed to ``warn``."""
        self._name, self._warn = name, warn
        self._max_bits = _USUAL[0]  # bits of the brightest image so far
        self._used: int | None = None  # bits that scaled the last image
        self._saturated = False  # whether an image had values above them

    @property
    def bits(self) -> int:
        """Bits of the brightest image so far."""
        return self._max_bits

    def observe(self, pixels: NDArray[np.uint16]) -> None:
        """Take an image into account without scaling it."""
        if int(pixels.max(initial=0)) >> self._max_bits:
            self._max_bits = max(self._max_bits, bits_in_use(pixels))

    def eight_bits(self, pixels: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """The upper eight of the bits in use, in the same shape."""
        self.observe(pixels)
        bits = self._max_bits
        if self._used is None and bits < _USUAL[-1]:
            self._warn(f"{self._name}: {bits} of 16 bits are in use; images are scaled by that")
        if self._used is not None and bits > self._used:
            self._warn(
                f"{self._name}: an image uses {bits} bits, those before used {self._used};"
                f" from here on images are scaled by {bits} bits"
            )
        self._used = bits
        eight = pixels >> (bits - 8)
        if int(eight.max(initial=0)) > 255:
            self._warn_saturated(pixels)
        return np.minimum(eight, 255).astype(np.uint8)

    def _warn_saturated(self, pixels: NDArray[np.uint16]) -> None:
        if not self._saturated:
            count = np.count_nonzero(pixels >> self._max_bits)
            self._warn(
                f"{self._name}: {count} of {pixels.size} values of an image are above the"
                f" {self._max_bits} bits in use, up to {pixels.max()}: broken pixels, they become"
                " white"
            )
        self._saturated = True


def bits_in_use(pixels: NDArray[np.uint16]) -> int:
    """The fewest usual bits that hold all values of an image but one in ten thousand, or one."""
    allowed = -(-pixels.size // _OUTLIERS)
    return next(bits for bits in _USUAL if np.count_nonzero(pixels >> bits) <= allowed)
