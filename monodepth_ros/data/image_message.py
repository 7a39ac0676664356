"""What image messages hold, as arrays: of ROS itself, of a bag, or of anything with their fields.

Arrays follow the package's conventions: uint8 HxWx3 RGB, float32 HxW depth in metres with NaN where
there is none. What cannot be decoded raises a :class:`UserError` with the reason. Without
cv_bridge, which is bound to one version of NumPy, and without ROS.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from monodepth_ros.errors import UserError

Pixels = NDArray[Any]

# The types of camera images.
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@dataclass(frozen=True)
class Encoding:
    """How a pixel is stored, and what makes RGB of it."""

    dtype: str
    channels: int
    to_rgb: Callable[[Pixels], Pixels]


def _grey(pixels: Pixels) -> Pixels:
    return np.repeat(pixels[:, :, None], 3, axis=2)


def _swapped(pixels: Pixels) -> Pixels:
    return pixels[:, :, 2::-1]


def _first_three(pixels: Pixels) -> Pixels:
    return pixels[:, :, :3]


def _converted(code: int) -> Callable[[Pixels], Pixels]:
    return lambda pixels: np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code))


# OpenCV names a Bayer pattern by its second row, ROS by its first.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
_UYVY, _YUYV = _converted(cv2.COLOR_YUV2RGB_UYVY), _converted(cv2.COLOR_YUV2RGB_YUYV)
COLOUR_ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding("u1", 3, _first_three),
    "bgr8": Encoding("u1", 3, _swapped),
    "rgba8": Encoding("u1", 4, _first_three),
    "bgra8": Encoding("u1", 4, _swapped),
    "mono8": Encoding("u1", 1, _grey),
    "rgb16": Encoding("u2", 3, _first_three),
    "bgr16": Encoding("u2", 3, _swapped),
    "mono16": Encoding("u2", 1, _grey),
    "8UC1": Encoding("u1", 1, _grey),
    "8UC3": Encoding("u1", 3, _swapped),  # OpenCV's order
    "8UC4": Encoding("u1", 4, _swapped),
    "yuv422": Encoding("u1", 2, _UYVY),
    "uyvy": Encoding("u1", 2, _UYVY),
    "yuv422_yuy2": Encoding("u1", 2, _YUYV),
    "yuyv": Encoding("u1", 2, _YUYV),
    **{f"{name}8": Encoding("u1", 1, _converted(code)) for name, code in _BAYER.items()},
    **{f"{name}16": Encoding("u2", 1, _converted(code)) for name, code in _BAYER.items()},
}


def nanoseconds(stamp: Any) -> int:
    """A time message, of ROS or of a bag's reader, as one number."""
    return int(stamp.sec * 1_000_000_000 + stamp.nanosec)


def decode_image(message: Any) -> NDArray[np.uint8]:
    """The image as uint8 HxWx3 RGB, contiguous; of 16 bits the upper eight."""
    encoding = COLOUR_ENCODINGS.get(message.encoding)
    if encoding is None:
        known = ", ".join(COLOUR_ENCODINGS)
        raise UserError(f"encoding {message.encoding!r} is not a camera image; known are {known}")
    if encoding.to_rgb in (_UYVY, _YUYV) and message.width % 2:
        raise UserError(f"a {message.encoding} image must be of even width, not {message.width}")
    pixels = _stored(message, encoding.dtype, encoding.channels)
    if encoding.dtype == "u2":
        pixels = (pixels >> 8).astype(np.uint8)
    # Of its own where the message's memory is read-only, as a bag's is: networks take no other.
    return np.require(encoding.to_rgb(pixels), np.uint8, ("C", "W"))


def decode_compressed(message: Any) -> NDArray[np.uint8]:
    """A JPEG or PNG image as uint8 HxWx3 RGB. Pillow refuses damaged data; OpenCV would not."""
    try:
        with Picture.open(io.BytesIO(memoryview(message.data)), formats=("JPEG", "PNG")) as picture:
            if picture.mode.startswith("I"):
                return _grey((np.asarray(picture).astype(np.int64) >> 8).astype(np.uint8))
            return np.array(picture.convert("RGB"))
    # Pillow's decoders raise nearly anything on damaged bytes.
    except Exception as error:
        raise UserError(
            f"a compressed image of format {message.format!r} cannot be decoded: {error}"
        ) from None


def decode_depth(message: Any) -> NDArray[np.float32]:
    """Depth in metres, float32 HxW, NaN where there is none: of 32FC1 (m) or 16UC1 (mm)."""
    if message.encoding == "32FC1":
        depth = _stored(message, "f4", 1).astype(np.float32)
    elif message.encoding in ("16UC1", "mono16"):
        depth = _stored(message, "u2", 1).astype(np.float32) / np.float32(1000.0)
    else:
        raise UserError(f"encoding {message.encoding!r} is not depth; known are 32FC1 and 16UC1")
    with np.errstate(invalid="ignore"):
        depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    return depth


def decode_compressed_depth(message: Any) -> NDArray[np.float32]:
    """Depth in metres of ``compressed_depth_image_transport``: a PNG behind a header of 12 bytes.

    16UC1 holds millimetres; 32FC1 holds quantised inverse depth, whose two parameters the header
    has.
    """
    encoding, data = message.format.partition(";")[0].strip(), bytes(message.data)
    start = data.find(b"\x89PNG", 0, 64)
    stored = None
    if start >= 0:
        stored = cv2.imdecode(np.frombuffer(data, np.uint8, offset=start), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16 or stored.ndim != 2:
        raise UserError(f"a compressed depth of format {message.format!r} cannot be decoded")
    known = stored > 0
    if encoding == "32FC1":
        if start != 12:
            raise UserError("a compressed depth of 32FC1 lacks its header of 12 bytes")
        scale, offset = np.frombuffer(data, "<f4", 2, 4).astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = scale / (stored - offset)
    else:
        depth = stored / 1000.0
    return np.where(known & np.isfinite(depth) & (depth > 0), depth, np.nan).astype(np.float32)


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
