"""16-bit images of sensors with fewer bits: one scale for a stream, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.data.images.bit_depth import BitDepth

GREY = np.arange(256, dtype=np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_sensors_own_upper_eight_bits(bits: int) -> None:
    said: list[str] = []
    depth = BitDepth("/ir", said.append)
    np.testing.assert_array_equal(depth.eight_bits(GREY << (bits - 8)), GREY)
    depth.eight_bits(GREY << (bits - 8))
    assert len(said) == (bits < 16)
    assert all(f"/ir: {bits} of 16 bits are in use" in text for text in said)


def test_a_dark_image_stays_dark_and_a_brighter_one_raises_the_bits() -> None:
    said: list[str] = []
    depth = BitDepth("/ir", said.append)
    np.testing.assert_array_equal(depth.eight_bits(GREY << 2), GREY)
    np.testing.assert_array_equal(depth.eight_bits(GREY << 4), GREY)
    np.testing.assert_array_equal(depth.eight_bits(GREY << 2), GREY >> 2)
    assert len(said) == 2 and "an image uses 12 bits, those before used 10" in said[1]


def test_images_that_are_looked_at_first_count() -> None:
    said: list[str] = []
    depth = BitDepth("/ir", said.append)
    depth.observe(GREY << 6)
    np.testing.assert_array_equal(depth.eight_bits(GREY), GREY >> 6)
    assert len(said) == 1 and "14 of 16 bits" in said[0]


def test_a_broken_pixel_is_not_the_range_of_the_sensor() -> None:
    said: list[str] = []
    depth = BitDepth("/ir", said.append)
    pixels = np.tile(GREY << 2, (100, 1))
    broken = pixels.copy()
    broken[7, 3], broken[9, 5] = 65535, 60000
    depth.observe(broken)
    np.testing.assert_array_equal(depth.eight_bits(pixels), pixels >> 2)
    seen = depth.eight_bits(broken)
    assert seen[7, 3] == seen[9, 5] == 255
    seen[7, 3], seen[9, 5] = 3, 5
    np.testing.assert_array_equal(seen, pixels >> 2)
    depth.eight_bits(broken)
    assert len(said) == 2 and "10 of 16 bits are in use" in said[0]
    assert "2 of 25600 values of an image are above the 10 bits in use, up to 65535" in said[1]


def test_what_more_than_a_few_pixels_have_is_the_range_of_the_sensor() -> None:
    said: list[str] = []
    depth = BitDepth("/ir", said.append)
    pixels = np.tile(GREY << 2, (100, 1))
    pixels[0, :4] = 4000
    np.testing.assert_array_equal(depth.eight_bits(pixels), pixels >> 4)
    assert len(said) == 1 and "12 of 16 bits" in said[0]
