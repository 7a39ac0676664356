"""Masks of valid pixels, under everything that happens to images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_image, resize_valid
from monodepth_ros.geometry.validity import eroded, shrunk

SHAPE = (50, 75)


def mask() -> NDArray[np.bool_]:
    valid = np.zeros(SHAPE, bool)
    valid[4:-7, 3:-11] = True
    valid[30, 40] = False
    return valid


@pytest.mark.parametrize("size", [(16, 32), (50, 75), (50, 30), (90, 131), (7, 75)])
def test_a_resized_pixel_is_valid_where_nothing_invalid_is_mixed_in(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*SHAPE, 3), dtype=np.uint8) for _ in range(2)]
    images[1][mask()] = images[0][mask()]
    small = [resize_image(image, size) for image in images]
    valid = resize_valid(mask(), size)
    assert valid.shape == size and valid.any()
    np.testing.assert_array_equal(small[0][valid], small[1][valid])
    invalid = torch.from_numpy(~mask())[None, None].double()
    share = torch.nn.functional.interpolate(invalid, size, mode="bilinear", antialias=True)
    np.testing.assert_array_equal(valid, share[0, 0].numpy() < 1e-5)


def test_the_mask_goes_with_the_camera() -> None:
    camera = PinholeCamera.from_focal_length(SHAPE[1], SHAPE[0], 60.0, 60.0, 37.0, 24.5)
    assert camera.resized(16, 32).valid is None
    camera = replace(camera, valid=mask())
    resized, cropped, flipped = camera.resized(16, 32), camera.cropped(2, 1, 9, 8), camera.flipped()
    assert resized.valid is not None and cropped.valid is not None and flipped.valid is not None
    np.testing.assert_array_equal(resized.valid, resize_valid(mask(), (16, 32)))
    np.testing.assert_array_equal(cropped.valid, mask()[2:11, 1:9])
    np.testing.assert_array_equal(flipped.valid, mask()[:, ::-1])


def test_erosion_and_averaging() -> None:
    valid = torch.ones(1, 1, 9, 12, dtype=torch.bool)
    valid[0, 0, 4, 6] = False
    expected = torch.ones_like(valid)
    expected[..., 3:6, 5:8] = False
    assert torch.equal(eroded(valid, 1), expected) and torch.equal(eroded(valid, 0), valid)
    small = shrunk(valid, (3, 4))
    assert small.sum() == 11 and not small[0, 0, 1, 2]
    assert shrunk(valid, (9, 12)) is valid
