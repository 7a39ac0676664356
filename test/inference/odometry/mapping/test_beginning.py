"""The first pose of a map is that of its matches, whatever depth is predicted."""

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import inverse, motion_of
from monodepth_ros.inference.odometry.mapping.beginning import first_pose

CAMERA = PinholeCamera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
STEP = motion_of(np.array([0.2, -0.05, 0.1, 0.01, 0.06, -0.02]))


def matches(step: np.ndarray, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels in both images, and logarithms of inverse depth, of 150 points."""
    generator = np.random.default_rng(1)
    points = generator.uniform([-1.5, -1, 3], [1.5, 1, 8], (150, 3))
    T = inverse(step)
    both = [points, points @ T[:3, :3].T + T[:3, 3]]
    first, later = (seen @ CAMERA.K.T for seen in both)
    pixels = [seen[:, :2] / seen[:, 2:] for seen in (first, later)]
    later = pixels[1] + generator.normal(0, 1, (150, 2)) * noise
    return pixels[0], later, -np.log(points[:, 2])


def test_it_is_exact_at_the_scale_of_the_depths() -> None:
    first, later, depths = matches(STEP)
    found = first_pose(first, later, depths, CAMERA, 0.5)
    assert found is not None
    np.testing.assert_allclose(found, STEP, atol=1e-4)
    # Depths that are twice as large, and wrong from point to point.
    wrong = depths - np.log(2) + np.random.default_rng(2).normal(0, 0.5, 150)
    found = first_pose(first, later, wrong, CAMERA, 0.5)
    assert found is not None
    np.testing.assert_allclose(found[:3, :3], STEP[:3, :3], atol=1e-4)
    np.testing.assert_allclose(found[:3, 3], 2 * STEP[:3, 3], rtol=0.15)


def test_a_turn_and_a_small_shift_do_not_tell() -> None:
    turn = motion_of(np.array([0.0, 0.0, 0.0, 0.01, 0.06, -0.02]))
    small = STEP.copy()
    small[:3, 3] /= 50
    for step in (turn, small):
        first, later, depths = matches(step, noise=0.3)
        assert first_pose(first, later, depths, CAMERA, 0.5) is None
