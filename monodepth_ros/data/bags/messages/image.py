"""What image messages hold, as arrays: of ROS itself, of a bag, or of anything with their fields.

Arrays follow the package's conventions: uint8 HxWx3 RGB, float32 HxW depth in metres with NaN where
there is none. What cannot be decoded raises a :class:`UserError` with the reason. Without
cv_bridge, which is bound to one version of NumPy, and without ROS.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.messages.encoding import (
    COLOUR_ENCODINGS,
    DEPTH_ENCODINGS,
    HALF_WIDTH_CHROMA,
    PLANAR_ENCODINGS,
    Pixels,
    PlanarEncoding,
    planar_to_rgb,
)
from monodepth_ros.data.bags.messages.rvl import decode_rvl
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.decoding import decode_pixels
from monodepth_ros.errors import UserError

# The types of camera images.
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_PNG, _PNG_BITS = b"\x89PNG\r\n\x1a\n", 24  # how a PNG begins, and where its bits are
_DEPTH_HEADER = 12  # bytes, of compressed_depth_image_transport
_MOST_PIXELS = 1 << 26  # that a size in damaged data may ask for
_PAGE = 4096  # bytes; drivers hand on what the last one of a buffer holds


class Format(NamedTuple):
    """What the ``format`` of a compressed image says, empty where it does not.

    ``encoding`` was the image's before, ``stored`` is that of the compressed pixels, ``codec`` how
    they are compressed. ``depth`` is whether the transport of depth wrote it.
    """

    encoding: str
    codec: str
    stored: str
    depth: bool


def read_format(message: Any) -> Format:
    """The parts of ``rgb8; jpeg compressed bgr8``, ``16UC1; compressedDepth rvl`` or ``png``."""
    before, semicolon, after = message.format.partition(";")
    encoding = before.strip() if semicolon else ""
    words = (after if semicolon else before).split()
    codecs = [word.lower() for word in words]
    codec = next((c for c in ("rvl", "png", "jpeg", "jpg", "tiff") if c in codecs), "")
    behind = words[words.index("compressed") + 1 :] if "compressed" in words else []
    stored = behind[0] if behind else encoding
    return Format(encoding, codec, stored, "compressedDepth" in words)


def nanoseconds(stamp: Any) -> int:
    """A time message, of ROS or of a bag's reader, as one number."""
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def stored_encoding(message: Any) -> str:
    """The encoding of an image, raw or compressed; empty where a compressed one does not say."""
    return str(message.encoding) if hasattr(message, "encoding") else read_format(message).encoding


def holds_depth(message: Any) -> bool:
    """Whether an image, raw or compressed, is depth by what it says of itself."""
    depth = stored_encoding(message) in DEPTH_ENCODINGS
    return depth or (hasattr(message, "format") and read_format(message).depth)


def decode_image(message: Any, bits: BitDepth | None = None) -> NDArray[np.uint8]:
    """A raw or compressed image as uint8 HxWx3 RGB, contiguous.

    ``bits`` are those in use of this stream's 16-bit images; all 16 where it is None.
    """
    if not hasattr(message, "encoding"):
        return decode_compressed(message, bits)
    planar = PLANAR_ENCODINGS.get(message.encoding)
    if planar is not None:
        return _decode_planar(message, planar)
    encoding = COLOUR_ENCODINGS.get(message.encoding)
    if encoding is None:
        known = ", ".join((*COLOUR_ENCODINGS, *PLANAR_ENCODINGS))
        raise UserError(f"encoding {message.encoding!r} is not a camera image; known are {known}")
    if message.encoding in HALF_WIDTH_CHROMA and message.width % 2:
        raise UserError(f"a {message.encoding} image must be of even width, not {message.width}")
    pixels = _eight_bits(_stored(message, encoding.dtype, encoding.channels), bits)
    # Of its own where the message's memory is read-only, as a bag's is: networks take no other.
    return np.require(encoding.to_rgb(pixels), np.uint8, ("C", "W"))


def decode_compressed(message: Any, bits: BitDepth | None = None) -> NDArray[np.uint8]:
    """A JPEG or PNG image as uint8 HxWx3 RGB; a Bayer mosaic in one is demosaiced."""
    if holds_depth(message):
        raise UserError(f"format {message.format!r} is depth, not a camera image")
    stored = read_format(message).stored
    pixels = _eight_bits(_picture(message), bits)
    if pixels.ndim == 3:
        return np.require(pixels[:, :, :3], np.uint8, ("C", "W"))
    mosaic = stored.startswith("bayer_") and stored.rstrip("0123456789") + "8" in COLOUR_ENCODINGS
    name = stored.rstrip("0123456789") + "8" if mosaic else "mono8"
    return np.require(COLOUR_ENCODINGS[name].to_rgb(pixels), np.uint8, ("C", "W"))


def sixteen_bits(message: Any) -> NDArray[np.uint16] | None:
    """The values of a camera image, raw or compressed, of 16 bits; None of all others."""
    try:
        if holds_depth(message):
            return None
        if not hasattr(message, "encoding"):
            wide = bytes(message.data[:8]) == _PNG and message.data[_PNG_BITS] == 16
            return _picture(message).astype(np.uint16, copy=False) if wide else None
        encoding = COLOUR_ENCODINGS.get(message.encoding)
        if encoding is None or encoding.dtype != "u2":
            return None
        return _stored(message, encoding.dtype, encoding.channels)
    except (UserError, IndexError):
        return None  # it is counted where it is read


def _picture(message: Any) -> Pixels:
    """The pixels of a compressed image as they are stored, of colours in the order RGB."""
    try:
        return decode_pixels(bytes(message.data), ("JPEG", "PNG"))
    except ValueError as error:
        raise UserError(
            f"a compressed image of format {message.format!r} cannot be decoded: {error}"
        ) from None


def _eight_bits(pixels: Pixels, bits: BitDepth | None) -> Pixels:
    if pixels.dtype == np.uint8:
        return pixels
    return (pixels >> 8).astype(np.uint8) if bits is None else bits.eight_bits(pixels)


def _decode_planar(message: Any, encoding: PlanarEncoding) -> NDArray[np.uint8]:
    height, width, chroma = message.height, message.width, encoding.chroma
    size = f"{width}x{height} {message.encoding}"
    if not height or not width or height % chroma or width % chroma:
        raise UserError(f"an image of {size} must have sides that are even and not zero")
    # Drivers that pack rows tightly state all sorts of steps.
    for row in (message.step, width):
        rows = _rows_of_brightness(len(message.data), height, row, chroma)
        if row >= width and row % chroma == 0 and rows:
            data = np.frombuffer(message.data, np.uint8)
            rgb = planar_to_rgb(data, height, width, row, rows, encoding)
            return np.require(rgb, np.uint8, ("C", "W"))
    needed = width * (height + 2 * height // chroma**2)
    raise UserError(
        f"{len(message.data)} bytes do not fit {size} with rows of {message.step} bytes: without"
        f" padding it is {needed}"
    )


def _rows_of_brightness(size: int, height: int, row: int, chroma: int) -> int:
    """How many rows lie before the colours in ``size`` bytes, padding included; 0: it cannot be.

    Hardware rounds the height up, 1080 rows to 1088: the colours begin behind all of them. What is
    left of a page of memory at the end is no padding of rows.
    """
    for_two_rows = row * 2 * (chroma**2 + 2) // chroma**2
    pairs, left = divmod(size, for_two_rows) if for_two_rows else (0, 0)
    if not left and 2 * pairs >= height:
        return 2 * pairs
    needed = row * (height + 2 * height // chroma**2)
    return height if 0 <= size - needed < _PAGE else 0


def decode_depth(message: Any) -> NDArray[np.float32]:
    """Depth in metres, float32 HxW, NaN where there is none: of 32FC1 (m) or 16UC1 (mm).

    A compressed one is decoded by :func:`decode_compressed_depth`.
    """
    if not hasattr(message, "encoding"):
        return decode_compressed_depth(message)
    if message.encoding == "32FC1":
        depth = _stored(message, "f4", 1).astype(np.float32)
    elif message.encoding in (*DEPTH_ENCODINGS, "mono16"):
        depth = _stored(message, "u2", 1).astype(np.float32) / np.float32(1000.0)
    else:
        raise UserError(f"encoding {message.encoding!r} is not depth; known are 32FC1 and 16UC1")
    with np.errstate(invalid="ignore"):
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    return depth


def decode_compressed_depth(message: Any) -> NDArray[np.float32]:
    """Depth in metres of a compressed topic, float32 HxW, NaN where there is none.

    Of ``compressed_depth_image_transport``, which puts PNG or RVL behind a header of 12 bytes, and
    of plain PNG. 16UC1 holds millimetres; 32FC1 holds quantised inverse depth, whose two parameters
    the header has.
    """
    encoding, data = stored_encoding(message), bytes(message.data)
    stored, header = _stored_depth(message, data)
    if stored.dtype != np.uint16 or stored.ndim != 2:
        raise UserError(f"{message.format!r} holds {stored.dtype} of {stored.shape}, not depth")
    known = stored > 0
    if encoding == "32FC1":
        if header != _DEPTH_HEADER:
            raise UserError("a compressed depth of 32FC1 lacks its header of 12 bytes")
        scale, offset = np.frombuffer(data, "<f4", 2, 4).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = scale / (stored - offset)
    else:
        depth = stored / 1000.0
    return np.where(known & np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float32)


def _stored_depth(message: Any, data: bytes) -> tuple[Pixels, int]:
    """What is stored of each pixel, and of how many bytes the header before it is."""
    try:
        if read_format(message).codec == "rvl":
            return _rvl_image(data), _DEPTH_HEADER
        start = data.find(b"\x89PNG", 0, 64)
        if start >= 0:
            return decode_pixels(data[start:], ("PNG",)), start
        if data[:2] == b"\xff\xd8":
            raise ValueError("JPEG holds 8 bits of a pixel, which is no depth; record it as png")
        raise ValueError("it holds no PNG")
    except ValueError as error:
        raise UserError(
            f"a compressed depth of format {message.format!r} cannot be decoded: {error}"
        ) from None


def _rvl_image(data: bytes) -> Pixels:
    begin = _DEPTH_HEADER + 8
    if len(data) < begin:
        raise ValueError(f"{len(data)} bytes are no image")
    width, height = (int(side) for side in np.frombuffer(data, "<u4", 2, _DEPTH_HEADER))
    if not 0 < width * height <= _MOST_PIXELS:
        raise ValueError(f"a size of {width}x{height} is no image's")
    return decode_rvl(data[begin:], height, width)


def _stored(message: Any, dtype: str, channels: int) -> Pixels:
    """The pixels as they lie in the message, HxW or HxWxC, of the machine's byte order."""
    order = np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<")
    row = message.width * channels * order.itemsize
    size = f"{message.width}x{message.height} {message.encoding}"
    if message.width == 0 or message.height == 0:
        raise UserError(f"the image is empty: {size}")
    if message.step < row:
        raise UserError(f"a row of {message.step} bytes is too short for {size}: it needs {row}")
    if len(message.data) < message.step * message.height:
        raise UserError(
            f"{len(message.data)} bytes are too few for {size} with rows of {message.step} bytes"
        )
    data = np.frombuffer(message.data, np.uint8, message.step * message.height)
    rows = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :row])
    pixels = rows.view(order).astype(np.dtype(dtype), copy=False)
    shape = (message.height, message.width, channels)
    return pixels.reshape(shape if channels > 1 else shape[:2])
