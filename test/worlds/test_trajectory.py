from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.worlds.trajectory import (
    camera_pose,
    shake,
    speed_profile,
)


def test_pose_follows_the_optical_frame() -> None:
    pose = camera_pose(np.array([1.0, 2.0, 3.0]), yaw=np.pi / 2)
    # Looking along world y: the camera's right is world x, its down is world -z.
    np.testing.assert_allclose(pose[:3, 2], [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 1], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(pose[:3, 3], [1, 2, 3])


def test_pitch_looks_up_and_roll_keeps_the_view() -> None:
    up = camera_pose(np.zeros(3), yaw=0.3, pitch=0.2)
    assert up[2, 2] == pytest.approx(np.sin(0.2))
    rolled = camera_pose(np.zeros(3), yaw=0.3, pitch=0.2, roll=0.5)
    np.testing.assert_allclose(rolled[:3, 2], up[:3, 2])
    # Clockwise: what was to the right of the image centre is now above it, so the camera's
    # right hand dips towards the ground.
    assert rolled[2, 0] < up[2, 0]
    np.testing.assert_allclose(rolled[:3, :3] @ rolled[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rolled[:3, :3]) == pytest.approx(1.0)


def test_speed_changes_gently_and_stops() -> None:
    fps, acceleration = 10.0, 2.0
    speed = speed_profile(
        np.random.default_rng(0), 3000, fps, (4, 12), acceleration, 0.4, (1, 3), (3, 9)
    )
    change = np.diff(speed) * fps
    assert change.max() <= acceleration + 1e-9
    assert change.min() >= -1.6 * acceleration - 1e-9
    assert (speed == 0).any() and speed.max() <= 12 and (speed >= 0).all()


def test_shake_is_smooth_of_its_amplitude_and_independent_of_length() -> None:
    long, short = (shake(np.random.default_rng(1), n, 15.0, 0.02, 2.0) for n in (9000, 50))
    np.testing.assert_array_equal(long[:50], short)
    assert long.std() == pytest.approx(0.02, rel=0.1)
    spectrum = np.abs(np.fft.rfft(long)) ** 2
    fast = np.fft.rfftfreq(9000, 1 / 15.0) > 2 * 2.0
    assert spectrum[fast].sum() < 0.01 * spectrum.sum()
