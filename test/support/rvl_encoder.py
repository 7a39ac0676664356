"""RVL as its paper writes it, to have something to decode."""

from __future__ import annotations

import numpy as np


def encode_rvl(image: np.ndarray) -> bytes:
    """Runs of zeros and of differences, in nibbles."""
    pixels = image.reshape(-1).astype(int).tolist()
    nibbles: list[int] = []

    def write(number: int) -> None:
        while True:
            nibbles.append((number & 7) | (8 if number >> 3 else 0))
            number >>= 3
            if not number:
                return

    at = previous = 0
    while at < len(pixels):
        zeros = at
        while at < len(pixels) and pixels[at] == 0:
            at += 1
        write(at - zeros)
        begin = at
        while at < len(pixels) and pixels[at] != 0:
            at += 1
        write(at - begin)
        for value in pixels[begin:at]:
            delta = value - previous
            write(2 * delta if delta >= 0 else -2 * delta - 1)
            previous = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = np.array(nibbles, np.uint32).reshape(-1, 8) << np.arange(28, -1, -4, dtype=np.uint32)
    return words.sum(1, dtype=np.uint32).astype("<u4").tobytes()
