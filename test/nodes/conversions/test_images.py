"""Every encoding, in both byte orders and with padded rows; and what is refused."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")

from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from monodepth_ros.data.bags.messages.encoding import COLOUR_ENCODINGS, PLANAR_ENCODINGS
from monodepth_ros.data.bags.messages.image import (
    decode_compressed,
    decode_depth,
    decode_image,
)
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image, filled

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]


def message(pixels: np.ndarray, encoding: str, padding: int = 0, big_endian: bool = False) -> Image:
    """As a driver would send ``pixels``, rows padded with noise."""
    if big_endian:
        pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    noise = np.full((len(pixels), padding), 77, np.uint8)
    image = Image(encoding=encoding, height=len(pixels), width=pixels.shape[1])
    image.step = rows.shape[1] + padding
    image.is_bigendian = int(big_endian)
    image.data = filled(np.hstack([rows, noise]))
    return image


def wide(pixels: np.ndarray) -> np.ndarray:
    """16 bits whose upper byte is ``pixels``, with noise below."""
    return (pixels.astype(np.uint16) << 8) | 0x5A


def with_alpha(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], 9, pixels.dtype)])


STORED = {
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[:, :, ::-1], RGB),
    "rgba8": (with_alpha(RGB), RGB),
    "bgra8": (with_alpha(RGB[:, :, ::-1]), RGB),
    "rgb16": (wide(RGB), RGB),
    "bgr16": (wide(RGB[:, :, ::-1]), RGB),
    "rgba16": (with_alpha(wide(RGB)), RGB),
    "bgra16": (with_alpha(wide(RGB[:, :, ::-1])), RGB),
    "16UC3": (wide(RGB[:, :, ::-1]), RGB),
    "16UC4": (with_alpha(wide(RGB[:, :, ::-1])), RGB),
    "mono8": (GREY, np.dstack([GREY] * 3)),
    "mono16": (wide(GREY), np.dstack([GREY] * 3)),
    "8UC1": (GREY, np.dstack([GREY] * 3)),
    "8UC3": (RGB[:, :, ::-1], RGB),
    "8UC4": (with_alpha(RGB[:, :, ::-1]), RGB),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("encoding", STORED)
def test_stored_pixels(encoding: str, big_endian: bool, padding: int) -> None:
    stored, expected = STORED[encoding]
    decoded = decode_image(message(stored, encoding, padding, big_endian))
    np.testing.assert_array_equal(decoded, expected)
    assert decoded.dtype == np.uint8 and decoded.flags.c_contiguous


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_start_where_they_say(pattern: str, bits: int) -> None:
    """A plain colour seen through the pattern: every pixel is that colour again."""
    colour = {"r": 200, "g": 120, "b": 40}
    tile = np.array(
        [[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]]
    )
    mosaic = np.tile(tile, (4, 5)).astype(np.uint8)
    stored = wide(mosaic) if bits == 16 else mosaic
    decoded = decode_image(message(stored, f"bayer_{pattern}{bits}", padding=2))
    assert (decoded == [200, 120, 40]).all()


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv_keeps_brightness_and_hue(encoding: str) -> None:
    y, u, v = 150, 90, 200
    pair = [u, y, v, y] if encoding in ("yuv422", "uyvy") else [y, u, y, v]
    stored = np.tile(np.array(pair, np.uint8), (6, 4)).reshape(6, 8, 2)
    (expected,) = cv2.cvtColor(np.array([[[y, v, u]]], np.uint8), cv2.COLOR_YCrCb2RGB)[0]
    decoded = decode_image(message(stored, encoding, padding=4)).astype(int)
    assert np.abs(decoded - expected).max() < 35  # studio against full range
    assert (decoded[..., 0] > decoded[..., 2] + 50).all()


Y = np.random.default_rng(1).integers(30, 220, (6, 8), dtype=np.uint8)
U, V = (np.random.default_rng(n).integers(90, 160, (3, 4), dtype=np.uint8) for n in (2, 3))


def planes(encoding: str, row: int) -> np.ndarray:
    """Y, and behind it pairs of U and V, in rows of ``row`` bytes; nv24 has a pair a pixel."""
    u, v = U, V
    if encoding == "nv24":
        u, v = (plane.repeat(2, 0).repeat(2, 1) for plane in (u, v))
    pairs = np.stack([v, u] if encoding == "nv21" else [u, v], 2).reshape(len(u), -1)
    rows = [(Y, row), (pairs, 2 * row if encoding == "nv24" else row)]
    padded = [np.pad(plane, ((0, 0), (0, width - plane.shape[1]))) for plane, width in rows]
    return np.concatenate([plane.reshape(-1) for plane in padded])


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
@pytest.mark.parametrize(("row", "step"), [(8, 8), (12, 12), (8, 0), (8, 24)])
def test_planes_of_brightness_and_colour(encoding: str, row: int, step: int) -> None:
    """As OpenCV converts nv12; a driver may state any step where rows are packed tightly."""
    expected = cv2.cvtColor(
        np.concatenate([Y, np.stack([U, V], 2).reshape(3, 8)]), cv2.COLOR_YUV2RGB_NV12
    )
    sent = Image(encoding=encoding, height=6, width=8, step=step)
    sent.data = filled(planes(encoding, row))
    decoded = decode_image(sent)
    assert np.abs(decoded.astype(int) - expected).max() <= 1 and decoded.flags.c_contiguous


@pytest.mark.parametrize("encoding", ["nv12", "nv21", "nv24"])
@pytest.mark.parametrize("row", [8, 12])
def test_planes_whose_height_is_rounded_up(encoding: str, row: int) -> None:
    """As hardware stores 1080 rows in 1088; a part of a page behind the planes is nothing."""
    tight = Image(encoding=encoding, height=6, width=8, step=row)
    tight.data = filled(planes(encoding, row))
    bright, colours = np.split(planes(encoding, row), [6 * row])
    more = np.full(2 * row, 99, np.uint8)  # two rows
    fewer = np.full(4 * row if encoding == "nv24" else row, 99, np.uint8)  # their colours
    padded = Image(encoding=encoding, height=6, width=8, step=row)
    padded.data = filled(np.concatenate([bright, more, colours, fewer]))
    np.testing.assert_array_equal(decode_image(padded), decode_image(tight))
    behind = Image(encoding=encoding, height=6, width=8, step=row)
    behind.data = filled(np.concatenate([bright, colours, np.zeros(1001, np.uint8)]))
    np.testing.assert_array_equal(decode_image(behind), decode_image(tight))


def test_planes_that_do_not_fit_are_refused() -> None:
    short = Image(encoding="nv12", height=6, width=8, step=8)
    short.data = filled(planes("nv12", 8)[:-1])
    with pytest.raises(UserError, match="71 bytes do not fit 8x6 nv12 .* padding it is 72"):
        decode_image(short)
    long = Image(encoding="nv12", height=6, width=8, step=8, data=filled(np.zeros(8000, "u1")))
    with pytest.raises(UserError, match="8000 bytes do not fit 8x6 nv12 with rows of 8 bytes"):
        decode_image(long)
    odd = Image(encoding="nv21", height=5, width=8, step=8)
    with pytest.raises(UserError, match="8x5 nv21 must have sides that are even"):
        decode_image(odd)


def test_every_encoding_is_tried_above() -> None:
    tried = set(STORED) | {"yuv422", "uyvy", "yuv422_yuy2", "yuyv"}
    tried |= {f"bayer_{p}{b}" for p in ("rggb", "bggr", "gbrg", "grbg") for b in (8, 16)}
    assert tried == set(COLOUR_ENCODINGS)
    assert set(PLANAR_ENCODINGS) == {"nv12", "nv21", "nv24"}


def test_what_cannot_be_an_image_is_refused() -> None:
    with pytest.raises(UserError, match="'32FC1' is not a camera image; known are rgb8"):
        decode_image(message(np.ones((2, 2), np.float32), "32FC1"))
    short = message(RGB, "rgb8")
    short.data = short.data[:-1]
    with pytest.raises(UserError, match="143 bytes are too few for 8x6 rgb8"):
        decode_image(short)
    narrow = message(RGB, "rgb8")
    narrow.step = 23
    with pytest.raises(UserError, match="a row of 23 bytes is too short"):
        decode_image(narrow)
    with pytest.raises(UserError, match="empty"):
        decode_image(Image(encoding="rgb8"))
    odd = message(np.zeros((2, 3, 2), np.uint8), "yuyv")
    with pytest.raises(UserError, match="even width, not 3"):
        decode_image(odd)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_compressed(kind: str) -> None:
    smooth = cv2.resize(RGB, (64, 48), interpolation=cv2.INTER_LINEAR)
    file = io.BytesIO()
    Picture.fromarray(smooth).save(file, kind, **({"quality": 95} if kind == "JPEG" else {}))
    sent = CompressedImage(format=kind.lower(), data=filled(np.frombuffer(file.getvalue(), "u1")))
    decoded = decode_compressed(sent).astype(int)
    assert np.abs(decoded - smooth).max() <= (0 if kind == "PNG" else 30)
    sent.data = sent.data[: len(sent.data) // 2]
    with pytest.raises(UserError, match=f"format '{kind.lower()}' cannot be decoded"):
        decode_compressed(sent)


def test_compressed_of_sixteen_bits_is_grey_of_eight() -> None:
    file = io.BytesIO()
    Picture.fromarray(wide(GREY)).save(file, "PNG")
    sent = CompressedImage(format="mono16; png compressed ")
    sent.data = filled(np.frombuffer(file.getvalue(), "u1"))
    np.testing.assert_array_equal(decode_compressed(sent), np.dstack([GREY] * 3))


@pytest.mark.parametrize("big_endian", [False, True])
def test_depth_in_metres_and_millimetres(big_endian: bool) -> None:
    metres = np.array([[1.5, np.nan], [0.0, -1.0], [np.inf, 70.0]], np.float32)
    decoded = decode_depth(message(metres, "32FC1", 3, big_endian))
    np.testing.assert_array_equal(decoded, [[1.5, np.nan], [np.nan, np.nan], [np.nan, 70]])
    millimetres = np.array([[1500, 0], [65535, 1]], np.uint16)
    decoded = decode_depth(message(millimetres, "16UC1", 1, big_endian))
    np.testing.assert_allclose(decoded, [[1.5, np.nan], [65.535, 0.001]], rtol=1e-6)
    with pytest.raises(UserError, match="'rgb8' is not depth"):
        decode_depth(message(RGB, "rgb8"))


def test_depth_goes_out_as_it_comes_in() -> None:
    header = Header(frame_id="camera")
    depth = np.array([[1.2343, np.nan, 70.0], [0.0004, 65.535, np.inf]], np.float32)
    floats = encode_depth(depth, "32FC1", header)
    assert (floats.encoding, floats.step, floats.header.frame_id) == ("32FC1", 12, "camera")
    np.testing.assert_array_equal(np.frombuffer(floats.data, "<f4").reshape(2, 3), depth)
    shorts = encode_depth(depth, "16UC1", header)
    assert (shorts.encoding, shorts.step, shorts.is_bigendian) == ("16UC1", 6, 0)
    stored = np.frombuffer(shorts.data, "<u2").reshape(2, 3)
    np.testing.assert_array_equal(stored, [[1234, 0, 0], [0, 65535, 0]])
    with pytest.raises(ValueError, match="mono8"):
        encode_depth(depth, "mono8", header)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
def test_images_go_out_as_they_come_in(encoding: str) -> None:
    np.testing.assert_array_equal(decode_image(encode_image(RGB, encoding, Header())), RGB)
    with pytest.raises(ValueError, match="yuyv"):
        encode_image(RGB, "yuyv", Header())


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
def test_cv_bridge_decodes_alike(encoding: str) -> None:
    reason = "cv_bridge comes with ROS, not from PyPI"
    bridge = pytest.importorskip("cv_bridge", reason=reason).CvBridge()
    stored, _ = STORED[encoding]
    image = message(stored, encoding)
    np.testing.assert_array_equal(decode_image(image), bridge.imgmsg_to_cv2(image, "rgb8"))
