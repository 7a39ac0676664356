"""Decoding of single image, depth and mask files, strict about damage.

Pillow decodes, because it refuses truncated files that OpenCV silently fills with grey.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RgbImage = NDArray[np.uint8]
DepthImage = NDArray[np.float32]


class CorruptFrame(Exception):
    """A file of one frame that cannot be read; whoever reads the sequence may skip the frame."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[CorruptFrame], tuple[Path, str]]:
        return CorruptFrame, (self.path, self.reason)


def read_array(path: Path) -> NDArray[np.generic]:
    """The pixels as stored: HxW or HxWxC. Raises :class:`CorruptFrame`."""
    try:
        with Image.open(path) as image:
            special = image.mode in ("P", "1", "CMYK", "YCbCr", "LA", "PA")
            return np.array(image.convert("RGB") if special else image)
    except FileNotFoundError:
        raise CorruptFrame(path, "the file is missing") from None
    # Pillow's decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise CorruptFrame(path, f"not a readable image ({error})") from error


def read_rgb(path: Path) -> RgbImage:
    """An image as uint8 HxWx3 RGB; grey becomes three channels, 16 bits become 8, alpha is cut."""
    pixels = read_array(path)
    if pixels.dtype != np.uint8:
        pixels = _to_eight_bits(pixels, path)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, :3])


def _to_eight_bits(pixels: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    if not np.issubdtype(pixels.dtype, np.integer):
        raise CorruptFrame(path, f"{pixels.dtype} pixels are not a camera image")
    return (pixels.astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)


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
