"""Compressed images, of files and of messages, as arrays: strict about damage.

Pillow decodes, because it refuses truncated files that OpenCV silently fills with grey.
"""

from __future__ import annotations

import io
import re

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError


def decode_pixels(data: bytes, formats: tuple[str, ...] | None = None) -> NDArray[np.generic]:
    """The pixels of an image file's content: HxW or HxWxC, colours in the order RGB.

    ``formats`` are Pillow's names of those that are tried, all where None. ValueError with the
    reason where the content is none of them, or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if image.mode in ("RGB", "RGBA") and _stored_bits(image, data) == 16:
                image.load()  # refuses what is damaged, but keeps 8 of 16 bits of a colour
                return _sixteen_bit_colours(data)
            special = image.mode in ("P", "1", "CMYK", "YCbCr", "LA", "PA")
            pixels = np.array(image.convert("RGB") if special else image)
    # Pillow's decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise ValueError(_reason(data, error)) from error
    wide = pixels.dtype == np.int32 and pixels.min() >= 0 and pixels.max() <= 65535
    return pixels.astype(np.uint16) if wide or pixels.dtype.str in (">u2", "<u2") else pixels


def _stored_bits(image: Image.Image, data: bytes) -> int:
    """Bits of a channel in a PNG or TIFF file, 8 for all others."""
    if image.format == "TIFF":
        return int(image.tag_v2.get(258, (8,))[0])  # type: ignore[attr-defined]
    return data[24] if image.format == "PNG" else 8


def _sixteen_bit_colours(data: bytes) -> NDArray[np.generic]:
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if bgr is None or bgr.ndim != 3 or bgr.dtype != np.uint16:
        raise ValueError("16-bit colours that OpenCV does not read")
    return np.ascontiguousarray(bgr[:, :, 2::-1])


def _reason(data: bytes, error: Exception) -> str:
    bits = _jpeg_bits(data)
    if bits not in (None, 8):
        return f"a JPEG of {bits} bits; those of 8 bits are read"
    # Pillow's own texts have an address or a count in them: images are to be counted by the reason.
    if isinstance(error, UnidentifiedImageError):
        return "no image that is known"
    return re.sub(r" \(\d+ bytes not processed\)", "", str(error))


def _jpeg_bits(data: bytes) -> int | None:
    """Bits of a sample by the frame header; None where it is no JPEG."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 5 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 4]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
