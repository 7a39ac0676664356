"""Single image, depth and mask files as arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.decoding import decode_pixels
from monodepth_ros.errors import printable

RgbImage = NDArray[np.uint8]
DepthImage = NDArray[np.float32]
Mask = NDArray[np.bool_]

_EXIF_ORIENTATION = 0x0112
_LOOKED_AT = 64  # images of a recording, to find the bits in use


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
    return _decoded(path, _content(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorruptFrame(path, "the file is missing") from None
    except OSError as error:
        raise CorruptFrame(path, f"cannot be read ({error.strerror})") from None


def _decoded(path: Path, data: bytes) -> NDArray[np.generic]:
    try:
        return decode_pixels(data)
    except ValueError as error:
        raise CorruptFrame(path, f"not a readable image ({error})") from error


def read_rgb(path: Path, bits: BitDepth | None = None) -> RgbImage:
    """An image as uint8 HxWx3 RGB, upright; grey becomes three channels, alpha is cut.

    Of 16 bits the upper eight of those in use: by ``bits`` of the recording that the file belongs
    to, or by the file alone.
    """
    data = _content(path)
    pixels = _decoded(path, data)
    if pixels.dtype == np.uint16:
        bits = BitDepth(printable(path)) if bits is None else bits
        pixels = bits.eight_bits(pixels.astype(np.uint16, copy=False))
    if pixels.dtype != np.uint8:
        raise CorruptFrame(path, f"{pixels.dtype} pixels are not a camera image")
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    with Image.open(io.BytesIO(data)) as image:
        upright = _upright(np.asarray(pixels[:, :, :3], np.uint8), _orientation(image))
    return np.ascontiguousarray(upright)


def _orientation(image: Image.Image) -> int:
    """By EXIF, as phones write it: 1 is upright, 5 to 8 lie on their side."""
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # whatever is wrong with EXIF data, the picture is good
        return 1


def _upright(rgb: RgbImage, orientation: int) -> RgbImage:
    if orientation in (5, 6, 7, 8):
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return rgb


def bits_of_files(name: str, files: Sequence[Path], looked_at: int = _LOOKED_AT) -> BitDepth:
    """The bits in use by the images of one recording, some of which are looked at first."""
    bits = BitDepth(printable(name))
    chosen = files[:: -(-len(files) // looked_at)] if len(files) > 1 else []
    for file in chosen:
        try:
            pixels = read_array(file)
        except CorruptFrame:
            continue  # it is counted where it is read
        if pixels.dtype != np.uint16:
            break
        bits.observe(pixels.astype(np.uint16, copy=False))
    return bits


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


def read_mask(path: Path) -> Mask:
    """A mask, bool HxW: True where the stored value is not zero. Raises :class:`CorruptFrame`."""
    pixels = read_array(path)
    return (pixels if pixels.ndim == 2 else pixels.max(axis=2)) != 0


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the upright image, by the file's header. Raises :class:`CorruptFrame`."""
    try:
        with Image.open(path) as image:
            size = image.height, image.width
            return size[::-1] if _orientation(image) >= 5 else size
    except Exception as error:
        raise CorruptFrame(path, f"not a readable image ({error})") from error
