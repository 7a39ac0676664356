"""Decoding of single image, depth and mask files, strict about damage.

Pillow decodes, because it refuses truncated files that OpenCV silently fills with grey.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from monodepth_ros.data.bit_depth import BitDepth
from monodepth_ros.errors import printable

RgbImage = NDArray[np.uint8]
DepthImage = NDArray[np.float32]


class CorruptFrame(Exception):
    """A file of one frame that cannot be read; whoever reads the sequence may skip the frame."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{printable(path)}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[CorruptFrame], tuple[Path, str]]:
        return CorruptFrame, (self.path, self.reason)


def read_array(path: Path) -> NDArray[np.generic]:
    """The pixels as stored: HxW or HxWxC. Raises :class:`CorruptFrame`."""
    try:
        return decode_pixels(path.read_bytes())
    except FileNotFoundError:
        raise CorruptFrame(path, "the file is missing") from None
    except OSError as error:
        raise CorruptFrame(path, f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise CorruptFrame(path, f"not a readable image ({error})") from error


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
    # Pillow's own text has an address in it, so that no two of them are equal.
    return "no image that is known" if isinstance(error, UnidentifiedImageError) else str(error)


def _jpeg_bits(data: bytes) -> int | None:
    """Bits of a sample by the frame header; None where it is no JPEG."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 5 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return data[at + 4]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def read_rgb(path: Path, bits: BitDepth | None = None) -> RgbImage:
    """An image as uint8 HxWx3 RGB; grey becomes three channels, alpha is cut.

    Of 16 bits the upper eight of those in use: by ``bits`` of the recording that the file belongs
    to, or by the file alone.
    """
    pixels = read_array(path)
    if pixels.dtype == np.uint16:
        bits = BitDepth(printable(path)) if bits is None else bits
        pixels = bits.eight_bits(pixels.astype(np.uint16, copy=False))
    if pixels.dtype != np.uint8:
        raise CorruptFrame(path, f"{pixels.dtype} pixels are not a camera image")
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def read_depth_png(path: Path, depth_scale: float, invalid: tuple[int, ...] = (0,)) -> DepthImage:
    """Depth in metres, float32 HxW, from a 16-bit PNG of ``depth_scale`` units to the metre.

    The stored values ``invalid`` become NaN. Raises :class:`CorruptFrame`.
    """
    stored = read_array(path)
    if stored.ndim != 2 or not np.issubdtype(stored.dtype, np.integer):
        raise CorruptFrame(path, f"{stored.dtype} of shape {stored.shape} is not a depth image")
    depth = stored.astype(np.float32) / np.float32(depth_scale)
    depth[np.isin(stored, invalid)] = np.nan
    return depth


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask, bool HxW: True where the stored value is not zero. Raises :class:`CorruptFrame`."""
    pixels = read_array(path)
    return (pixels if pixels.ndim == 2 else pixels.max(axis=2)) != 0


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header alone. Raises :class:`CorruptFrame`."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Exception as error:
        raise CorruptFrame(path, f"not a readable image ({error})") from error
