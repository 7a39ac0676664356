"""Depth of one camera in another: the geometry, what hides what, lenses."""

import numpy as np

from monodepth_ros.data.layouts.depth_registration import DepthResampler, register_depth
from monodepth_ros.geometry.camera import PinholeCamera

CAMERA = PinholeCamera.from_focal_length(64, 48, 50.0, 50.0, 32.0, 24.0)
PLUMB_BOB = PinholeCamera(64, 48, CAMERA.K, "plumb_bob", (-0.3, 0.1, 0.001, -0.002, 0.0))
FISHEYE = PinholeCamera(64, 48, CAMERA.K, "equidistant", (0.05, -0.01, 0.0, 0.0))


def test_the_same_camera_keeps_its_depth() -> None:
    depth = np.random.default_rng(0).uniform(1, 3, (48, 64)).astype(np.float32)
    depth[3, 5] = np.nan
    for camera in (CAMERA, PLUMB_BOB, FISHEYE):
        registered = register_depth(depth, camera, camera, np.eye(4))
        np.testing.assert_allclose(registered, depth, rtol=1e-6)
        np.testing.assert_array_equal(DepthResampler(camera, camera)(depth), depth)


def test_a_camera_to_the_side_sees_the_near_in_front() -> None:
    depth = np.full((48, 64), 4.0, np.float32)
    depth[20:30, 30:40] = 1.0
    T = np.eye(4)
    T[0, 3] = -0.2  # the other camera is to the right: 10 pixels at 1 m, 2.5 at 4 m
    seen = register_depth(depth, CAMERA, CAMERA, T)
    assert (seen[20:30, 20:30] == 1).all()
    assert seen[25, 10] == 4
    assert np.isnan(seen[25, 31:36]).all()  # hidden from the first camera by what is near
    assert np.isnan(seen[:, -2:]).all()


def test_nothing_behind_shows_through_the_gaps_of_what_is_near() -> None:
    """A wider camera beside: of 1.5 times the focal length every third row and column is a gap."""
    longer = PinholeCamera.from_focal_length(96, 72, 75.0, 75.0, 48.0, 36.0)
    T = np.eye(4)
    T[0, 3] = -0.13

    def seen(camera: PinholeCamera, shift: float) -> np.ndarray:
        u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
        x, y = (
            (u - camera.K[0, 2]) / camera.K[0, 0] + shift,
            (v - camera.K[1, 2]) / camera.K[1, 1],
        )
        return np.where((abs(x) < 0.2) & (abs(y) < 0.15), 1.0, 2.0).astype(np.float32)

    registered = register_depth(seen(CAMERA, 0.0), CAMERA, longer, T)
    truth = seen(longer, 0.13)
    known = np.isfinite(registered)
    inner = np.zeros_like(known)
    inner[2:-2, 2:-2] = True
    edge = np.zeros_like(known)
    edge[:-1] |= truth[:-1] != truth[1:]
    edge[:, :-1] |= truth[:, :-1] != truth[:, 1:]
    edge |= np.roll(edge, 1, 0) | np.roll(edge, 1, 1)
    assert known.mean() > 0.3
    np.testing.assert_array_equal(registered[known & ~edge], truth[known & ~edge])


def test_another_size() -> None:
    half = CAMERA.resized(24, 32)
    seen = register_depth(np.full((48, 64), 2.0, np.float32), CAMERA, half, np.eye(4))
    assert seen.shape == (24, 32) and (seen[1:-1, 1:-1] == 2).all()
    ramp = np.repeat(np.arange(1.0, 33.0, dtype=np.float32)[None], 24, 0)
    larger = DepthResampler(half, CAMERA)(ramp)
    np.testing.assert_array_equal(larger[5, 2:-2], np.repeat(ramp[0], 2)[2:-2])


def test_nothing_known() -> None:
    nothing = np.full((48, 64), np.nan, np.float32)
    assert np.isnan(register_depth(nothing, CAMERA, CAMERA, np.eye(4))).all()
    assert np.isnan(DepthResampler(CAMERA, CAMERA)(nothing)).all()
