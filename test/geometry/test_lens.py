"""Rays and pixels of cameras with a lens, and that arrays and tensors say the same."""

import numpy as np
import pytest
import torch

from monodepth_ros.geometry import lens, projection
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import project, rays

CAMERA = PinholeCamera.from_focal_length(64, 48, 50.0, 50.0, 32.0, 24.0)
PLUMB_BOB = PinholeCamera(64, 48, CAMERA.K, "plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.0))
FISHEYE = PinholeCamera(64, 48, CAMERA.K, "equidistant", (0.05, -0.01, 0.0, 0.0))
SKEWED = PinholeCamera(6, 5, np.array([[20.0, 0.3, 2.5], [0.0, 18.0, 2.2], [0.0, 0.0, 1.0]]))


def test_arrays_and_tensors_are_backprojected_alike() -> None:
    depth = np.random.default_rng(0).uniform(1, 3, (5, 6))
    pixels = lens.pixel_centres(5, 6)
    points = lens.backproject(depth, SKEWED, pixels.astype(int))
    tensors = projection.backproject(
        torch.from_numpy(depth)[None, None], torch.from_numpy(SKEWED.K)[None]
    )
    np.testing.assert_allclose(points.T.reshape(3, 5, 6), tensors[0].numpy(), rtol=1e-12)


def test_arrays_and_tensors_are_projected_alike() -> None:
    points = np.random.default_rng(1).uniform(1, 3, (3, 5, 6))
    pixels, z = projection.project(torch.from_numpy(points)[None], torch.from_numpy(SKEWED.K)[None])
    np.testing.assert_array_equal(z[0, 0].numpy(), points[2])
    # The tensors' division is kept finite at the camera's plane.
    expected = project(SKEWED, points.reshape(3, -1).T).T.reshape(2, 5, 6)
    np.testing.assert_allclose(pixels[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("stride", [1, 2])
def test_points_of_whole_images_are_those_of_their_pixels(stride: int) -> None:
    depth = np.random.default_rng(2).uniform(1, 3, (5, 6)).astype(np.float32)
    depth[2, 2] = np.nan
    organised = lens.OrganisedPoints(SKEWED, stride)
    points = np.zeros((*organised.shape, 3), np.float32)
    for rows, planes in organised.bands(depth):
        points[rows] = np.stack(planes, -1)
    pixels = lens.pixel_centres(5, 6, stride).astype(int)
    plain = lens.backproject(depth, SKEWED, pixels).reshape(*organised.shape, 3)
    np.testing.assert_allclose(points, plain, rtol=1e-6)


def test_pixel_centres_of_every_second_row_and_column() -> None:
    assert lens.pixel_centres(3, 4, 2).tolist() == [[0, 0], [2, 0], [0, 2], [2, 2]]


@pytest.mark.parametrize("camera", [CAMERA, PLUMB_BOB, FISHEYE])
def test_rays_and_pixels_are_inverse(camera: PinholeCamera) -> None:
    pixels = np.array([[0.0, 0], [63, 47], [32, 24], [10, 40]])
    points = rays(camera, pixels) * np.array([[1.0], [2], [3], [0.5]])
    np.testing.assert_allclose(project(camera, points), pixels, atol=1e-3)


def test_a_point_far_outside_is_not_folded_into_the_image() -> None:
    """Without the check the polynomial of k1 = -0.3 brings a ray of 63 degrees to the centre."""
    barrel = PinholeCamera(64, 48, CAMERA.K, "plumb_bob", (-0.3, 0.0, 0.0, 0.0))
    folded = project(barrel, np.array([[1.8, 0.0, 1.0], [0.2, 0.0, 1.0]]))
    assert np.isnan(folded[0]).all()
    assert folded[1] == pytest.approx([32 + 50 * 0.2 * (1 - 0.3 * 0.04), 24])
