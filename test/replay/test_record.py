"""What a replay is found to be worth where a recording begins again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.replay.record import ReplayRecord, joined_segments

LAP = 20
IMAGE = np.zeros((2, 2, 3), np.uint8)
CAMERA = PinholeCamera.centred(2, 2, 1.0)
SCALE = 4.0  # metres per unit of the model


def lap() -> list[NDArray[np.float64]]:
    """Half a circle of radius 2 m, looking ahead."""
    poses = []
    for angle in np.linspace(0, np.pi, LAP):
        T = np.eye(4)
        T[:3, :3] = Rotation.from_rotvec([0, angle, 0]).as_matrix()
        T[:3, 3] = [2 - 2 * np.cos(angle), 0, 2 * np.sin(angle)]
        poses.append(T)
    return poses


def test_a_recording_that_begins_again_is_measured_by_what_was_driven() -> None:
    """Truth jumps back to the start, odometry goes on from where it was: neither is an error."""
    record = ReplayRecord()
    begin = np.eye(4)
    for segment in range(2):
        for number, true_pose in enumerate(lap()):
            pose = begin @ true_pose
            scaled = pose.copy()
            scaled[:3, 3] /= SCALE
            depth = np.ones((2, 2), np.float32)
            frame = RecordedFrame(IMAGE, CAMERA, number, None, true_pose, segment=segment)
            record.add(frame, depth, "motion", scaled)
        begin = pose
    figures = record.metrics()
    assert figures["ate_m"] == pytest.approx(0, abs=1e-9)
    assert figures["rpe_m"] == pytest.approx(0, abs=1e-9)
    assert figures["scale"] == pytest.approx(SCALE)
    step = np.linalg.norm(np.diff(np.array(lap())[:, :3, 3], axis=0), axis=1).sum()
    assert figures["length_m"] == pytest.approx(2 * step)


def test_a_stretch_that_goes_on_keeps_its_own_motion() -> None:
    poses = np.array(lap())
    np.testing.assert_array_equal(joined_segments(poses, [0] * LAP), poses)
    joined = joined_segments(np.concatenate([poses, poses]), [0] * LAP + [1] * LAP)
    np.testing.assert_allclose(joined[LAP], poses[-1], atol=1e-12)
    np.testing.assert_allclose(np.linalg.inv(joined[LAP]) @ joined[-1], poses[-1], atol=1e-12)
    assert joined_segments(np.array([]), []).shape == (0, 4, 4)


def test_covariances_are_judged_within_each_segment() -> None:
    """Steps of 0.1 m, one in each segment 0.02 m short; 0.01 m of deviation along each axis."""
    record = ReplayRecord()
    step_covariance = np.diag([1e-4] * 3 + [1e-6] * 3)
    for segment in range(2):
        for number in range(LAP):
            true_pose, pose = np.eye(4), np.eye(4)
            true_pose[2, 3] = 0.1 * number
            pose[2, 3] = 0.1 * number - 0.02 * (number >= 10)
            frame = RecordedFrame(IMAGE, CAMERA, number, None, true_pose, segment=segment)
            depth = np.ones((2, 2), np.float32)
            record.add(frame, depth, "motion", pose, number * step_covariance)
    figures = record.metrics()
    assert figures["nees_1_motions"] == 2 * (LAP - 1)
    scale = figures["scale"]
    # Off the line there is no error: a heading that is uncertain moves nothing along it.
    expected = 18 * (0.1 - 0.1 * scale) ** 2 + (0.1 - 0.08 * scale) ** 2
    assert figures["nees_1"] == pytest.approx(expected / 19 / (1e-4 * scale**2))
