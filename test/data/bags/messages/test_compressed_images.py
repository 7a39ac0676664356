"""CompressedImage: its format says what the JPEG, PNG or RVL in it holds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rvl_encoder import encode_rvl

from monodepth_ros.data.bags.messages.image import (
    decode_compressed,
    decode_compressed_depth,
    holds_depth,
    read_format,
)
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.errors import UserError

RGB = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8), (64, 48)
).astype(np.uint8)
GREY = RGB[:, :, 0]
DEPTH = np.tile(np.linspace(400, 3900, 64), (48, 1)).astype(np.uint16)
DEPTH[:10] = 0
HEADER = bytes(12)


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """As a driver does by OpenCV: colours in the order BGR."""
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


def sent(text: str, data: bytes) -> Any:
    return SimpleNamespace(format=text, data=np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("jpeg", ("", "jpeg", "", False)),
        ("png", ("", "png", "", False)),
        ("rgb8; jpeg compressed bgr8", ("rgb8", "jpeg", "bgr8", False)),
        ("mono16; png compressed ", ("mono16", "png", "mono16", False)),
        ("bayer_rggb8; jpeg compressed bgr8", ("bayer_rggb8", "jpeg", "bgr8", False)),
        ("16UC1; compressedDepth rvl", ("16UC1", "rvl", "16UC1", True)),
        ("32FC1; compressedDepth", ("32FC1", "", "32FC1", True)),
        ("16UC1; png compressedDepth", ("16UC1", "png", "16UC1", True)),
    ],
)
def test_formats(text: str, parts: tuple[str, str, str, bool]) -> None:
    assert read_format(sent(text, b"")) == parts


@pytest.mark.parametrize("text", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8"])
def test_colours_keep_their_order(text: str) -> None:
    message = sent(text, encoded(RGB[:, :, ::-1], ".png"))
    np.testing.assert_array_equal(decode_compressed(message), RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize(
    "text", ["bayer_{}8; {} compressed bayer_{}8", "bayer_{}8; {} compressed "]
)
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_mosaic_in_a_jpeg_or_png_is_demosaiced(pattern: str, text: str, suffix: str) -> None:
    colour = {"r": 200, "g": 120, "b": 40}
    tile = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    mosaic = np.tile(tile, (24, 32))
    options = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix == ".jpg" else []
    data = cv2.imencode(suffix, mosaic, options)[1].tobytes()
    decoded = decode_compressed(sent(text.format(pattern, suffix[1:], pattern), data))
    assert np.abs(decoded.astype(int) - [200, 120, 40]).max() <= 3


def test_a_picture_that_was_demosaiced_before_is_left_alone() -> None:
    data = encoded(RGB[:, :, ::-1], ".png")
    message = sent("bayer_rggb8; png compressed bgr8", data)
    np.testing.assert_array_equal(decode_compressed(message), RGB)
    grey = sent("bayer_rggb8; png compressed mono8", encoded(GREY, ".png"))
    np.testing.assert_array_equal(decode_compressed(grey), np.dstack([GREY] * 3))


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_sixteen_bits_by_those_in_use(bits: int) -> None:
    """Colours, too, of which Pillow alone would keep the upper 8 of 16 bits."""
    full = RGB.copy()
    full[0, 0] = 255
    wide = full[:, :, ::-1].astype(np.uint16) << (bits - 8)
    message = sent("rgb16; png compressed bgr16", encoded(wide, ".png"))
    decoded = decode_compressed(message, BitDepth("/camera", lambda _: None))
    np.testing.assert_array_equal(decoded, full)
    message = sent("mono16; png compressed ", encoded(wide[:, :, 2], ".png"))
    decoded = decode_compressed(message, BitDepth("/camera", lambda _: None))
    np.testing.assert_array_equal(decoded, np.dstack([full[:, :, 0]] * 3))


@pytest.mark.parametrize(
    "text", ["16UC1; png compressed ", "16UC1; compressedDepth png", "mono16; compressedDepth rvl"]
)
def test_depth_is_no_camera_image(text: str) -> None:
    assert holds_depth(sent(text, b""))
    with pytest.raises(UserError, match="is depth, not a camera image"):
        decode_compressed(sent(text, encoded(DEPTH, ".png")))


@pytest.mark.parametrize(
    ("text", "header", "codec"),
    [
        ("16UC1; compressedDepth png", HEADER, "png"),
        ("16UC1; compressedDepth", HEADER, "png"),
        ("16UC1; png compressedDepth", HEADER, "png"),
        ("16UC1; png compressed ", b"", "png"),
        ("mono16; png compressed ", b"", "png"),
        ("16UC1; compressedDepth rvl", HEADER, "rvl"),
    ],
)
def test_millimetres(text: str, header: bytes, codec: str) -> None:
    size = np.array([64, 48], "<u4").tobytes()
    data = encoded(DEPTH, ".png") if codec == "png" else size + encode_rvl(DEPTH)
    depth = decode_compressed_depth(sent(text, header + data))
    assert np.isnan(depth[:10]).all()
    np.testing.assert_allclose(depth[10:], DEPTH[10:] / 1000.0, rtol=1e-6)


@pytest.mark.parametrize("codec", ["png", "rvl"])
def test_quantised_inverse_depth(codec: str) -> None:
    """The header's two floats: depth = a / (stored - b)."""
    a, b = 100.0, -3.0
    header = np.array([0], "<i4").tobytes() + np.array([a, b], "<f4").tobytes()
    size = np.array([64, 48], "<u4").tobytes()
    data = encoded(DEPTH, ".png") if codec == "png" else size + encode_rvl(DEPTH)
    depth = decode_compressed_depth(sent(f"32FC1; compressedDepth {codec}", header + data))
    assert np.isnan(depth[:10]).all()
    np.testing.assert_allclose(depth[10:], a / (DEPTH[10:] - b), rtol=1e-6)


FORMATS = st.sampled_from(
    [
        "jpeg",
        "png",
        "mono16; png compressed ",
        "16UC1; compressedDepth rvl",
        "32FC1; compressedDepth",
    ]
)


@given(FORMATS, st.binary(max_size=200), st.sampled_from([b"", HEADER, HEADER + b"\x89PNG"]))
def test_noise_is_refused(text: str, noise: bytes, begin: bytes) -> None:
    for decode in (decode_compressed, decode_compressed_depth):
        try:
            assert decode(sent(text, begin + noise)).dtype in (np.uint8, np.float32)
        except UserError as error:
            assert str(error)


def twelve_bit_jpeg() -> bytes:
    data = bytearray(encoded(GREY, ".jpg"))
    data[data.index(b"\xff\xc0") + 4] = 12
    return bytes(data)


@pytest.mark.parametrize(
    ("text", "data", "reason"),
    [
        ("16UC1; jpeg compressed ", encoded(GREY, ".jpg"), "JPEG holds 8 bits of a pixel"),
        ("16UC1; compressedDepth rvl", HEADER + bytes(4), "16 bytes are no image"),
        ("16UC1; compressedDepth rvl", HEADER + b"\xff" * 16, "4294967295x4294967295 is no image"),
        ("16UC1; compressedDepth png", HEADER + encoded(DEPTH, ".png")[:500], "cannot be decoded"),
        ("16UC1; compressedDepth", HEADER, "holds no PNG"),
        ("16UC1; png compressed ", encoded(GREY, ".png"), "uint8 of .48, 64., not depth"),
        ("32FC1; png compressed ", encoded(DEPTH, ".png"), "lacks its header"),
    ],
)
def test_depth_that_is_none_is_refused(text: str, data: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        decode_compressed_depth(sent(text, data))


@pytest.mark.parametrize(
    ("text", "data", "reason"),
    [
        ("mono16; jpeg compressed ", twelve_bit_jpeg(), "a JPEG of 12 bits; those of 8 bits"),
        ("rgb8; tiff compressed ", encoded(GREY, ".tiff"), "'rgb8; tiff compressed '.* no image"),
        ("h264", bytes(100), "'h264' cannot be decoded: no image that is known"),
        ("jpeg", encoded(GREY, ".jpg")[:300], "'jpeg' cannot be decoded"),
    ],
)
def test_what_is_not_decoded_is_named_alike_each_time(text: str, data: bytes, reason: str) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match=reason) as caught:
            decode_compressed(sent(text, data))
        assert "0x" not in str(caught.value)
