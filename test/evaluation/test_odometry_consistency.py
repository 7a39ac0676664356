"""The NEES: exact bounds, closed forms, and filters that are true, overconfident or too careful."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.evaluation.odometry_consistency import (
    NormalisedErrors,
    consistency,
    consistency_metrics,
    motion_covariance,
    motion_error,
    nees_bounds,
    normalised_errors,
)
from monodepth_ros.evaluation.odometry_metrics import evaluate_odometry
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.geometry.rigid_motion import carried_covariance, motion_of

STEPS = 2000


def noise(scale: float = 1.0) -> NDArray[np.float64]:
    """A step's covariance, with translation and rotation correlated."""
    root = np.random.default_rng(3).normal(0, 0.02, (6, 6)) + 0.03 * np.eye(6)
    root[3:] *= 0.1
    return scale * root @ root.T


def chained(
    steps: NDArray[np.float64], covariances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Poses and their covariance since the start, of independent steps."""
    poses, carried = [np.eye(4)], [np.zeros((6, 6))]
    for step, covariance in zip(steps, covariances, strict=True):
        R = poses[-1][:3, :3]
        known = carried_covariance(carried[-1], np.eye(3), R @ step[:3, 3])
        carried.append(known + carried_covariance(covariance, R, np.zeros(3)))
        poses.append(poses[-1] @ step)
    return np.array(poses), np.array(carried)


def walk(
    count: int = STEPS, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """True steps, and steps with errors of covariance `noise` in the axes of their start."""
    random = np.random.default_rng(seed)
    twists = np.column_stack(
        [random.uniform(-0.2, 1.0, (count, 3)), random.normal(0, 0.1, (count, 3))]
    )
    true = np.array([motion_of(twist) for twist in twists])
    errors = random.multivariate_normal(np.zeros(6), noise(), count)
    measured = true.copy()
    measured[:, :3, :3] = Rotation.from_rotvec(-errors[:, 3:]).as_matrix() @ true[:, :3, :3]
    measured[:, :3, 3] -= errors[:, :3]
    return true, measured, errors


def poses_of(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    return chained(steps, np.zeros((len(steps), 6, 6)))[0]


def test_bounds_are_those_of_the_chi_square_tables() -> None:
    assert nees_bounds(1) == pytest.approx((1.237, 14.449), abs=1e-3)  # 6 degrees of freedom
    assert nees_bounds(5) == pytest.approx((16.791 / 5, 46.979 / 5), abs=1e-3)  # 30
    assert np.isnan(nees_bounds(0)).all()


def test_the_covariance_of_each_step_is_found_in_that_of_the_poses() -> None:
    _, measured, _ = walk(30)
    stated = np.array([noise(scale) for scale in np.linspace(0.5, 2.0, 30)])
    poses, covariances = chained(measured, stated)
    for k in range(30):
        motion, covariance = motion_covariance(poses, covariances, k, k + 1)
        np.testing.assert_allclose(motion, measured[k], atol=1e-12)
        np.testing.assert_allclose(covariance, stated[k], atol=1e-12)


def test_the_covariance_of_a_stretch_is_that_of_its_steps_chained_alone() -> None:
    _, measured, _ = walk(30)
    poses, covariances = chained(measured, np.tile(noise(), (30, 1, 1)))
    alone, expected = chained(measured[12:20], np.tile(noise(), (8, 1, 1)))
    motion, covariance = motion_covariance(poses, covariances, 12, 20)
    np.testing.assert_allclose(motion, alone[-1], atol=1e-12)
    np.testing.assert_allclose(covariance, expected[-1], atol=1e-12)


def test_the_error_is_what_was_added_in_the_axes_of_the_start() -> None:
    true, measured, errors = walk(20)
    for truth, estimate, error in zip(true, measured, errors, strict=True):
        np.testing.assert_allclose(motion_error(estimate, truth), error, atol=1e-12)


def test_one_error_by_hand() -> None:
    """0.3 m ahead with a deviation of 0.1 m, 0.02 rad about y with one of 0.01 rad: 9 + 4."""
    truth = np.array([np.eye(4), motion_of(np.array([0, 0, 1.3, 0, 0.02, 0]))])
    estimate = np.array([np.eye(4), motion_of(np.array([0, 0, 1.0, 0, 0, 0]))])
    covariances = np.array([np.zeros((6, 6)), np.diag([0.01] * 3 + [1e-4] * 3)])
    found = normalised_errors(estimate, truth, covariances)
    assert found.mean == pytest.approx(13.0)
    assert found.share_inside == 0.0  # 13 > 12.59


def test_a_scaled_estimate_has_scaled_errors() -> None:
    true, measured, _ = walk(50)
    poses, covariances = chained(measured, np.tile(noise(), (50, 1, 1)))
    scaled, unit = poses.copy(), np.diag([0.25] * 3 + [1.0] * 3)
    scaled[:, :3, 3] *= 0.25
    found = normalised_errors(scaled, poses_of(true), unit @ covariances @ unit, scale=4.0)
    expected = normalised_errors(poses, poses_of(true), covariances)
    np.testing.assert_allclose(found.squares, expected.squares)


@pytest.mark.parametrize("span", [1, 10])
@pytest.mark.parametrize(
    ("stated", "verdict"), [(1.0, "true"), (0.25, "overconfident"), (4.0, "careful")]
)
def test_a_filter_is_told_by_its_bounds(span: int, stated: float, verdict: str) -> None:
    true, measured, _ = walk()
    poses, covariances = chained(measured, np.tile(noise(stated), (STEPS, 1, 1)))
    found = normalised_errors(poses, poses_of(true), covariances, span=span)
    lower, upper = found.bounds
    assert len(found.squares) == STEPS // span
    assert found.mean == pytest.approx(6 / stated, rel=0.1)
    kind = "true" if lower <= found.mean <= upper else "careful"
    assert (kind if found.mean < upper else "overconfident") == verdict
    if verdict == "true":
        assert found.share_inside == pytest.approx(0.95, abs=0.03)


def test_while_a_robot_stands_nothing_counts_and_that_is_said() -> None:
    true, measured, _ = walk(4)
    standing = np.eye(4)[None]
    stated = np.concatenate([np.tile(noise(), (4, 1, 1)), np.zeros((3, 6, 6))])
    poses, covariances = chained(np.concatenate([measured, standing, standing, standing]), stated)
    truth = poses_of(np.concatenate([true, standing, standing, standing]))
    found = normalised_errors(poses, truth, covariances)
    assert len(found.squares) == 4 and found.left_out == 3


def test_of_files_the_common_frames_count_in_the_aligned_scale() -> None:
    true, measured, _ = walk(60)
    poses, covariances = chained(measured, np.tile(noise(), (60, 1, 1)))
    unit = np.diag([0.5] * 3 + [1.0] * 3)
    halved = poses.copy()
    halved[:, :3, 3] *= 0.5
    truth = Trajectory(np.arange(10.0, 61.0), poses_of(true)[10:])
    estimate = Trajectory(np.arange(61.0), halved, covariances=unit @ covariances @ unit)
    evaluation = evaluate_odometry(estimate, truth)
    single, *_ = consistency(evaluation, estimate)
    scale = evaluation.errors.scale
    assert len(single.squares) == 50 and scale == pytest.approx(2.0, rel=0.05)
    doubled = np.diag([0.5 * scale] * 3 + [1.0] * 3)
    moved = poses[10:].copy()
    moved[:, :3, 3] *= 0.5 * scale
    expected = normalised_errors(moved, truth.poses, (doubled @ covariances @ doubled)[10:])
    np.testing.assert_allclose(single.squares, expected.squares)
    assert consistency(evaluation, Trajectory(np.arange(61.0), halved)) == []


def test_recordings_are_pooled_motion_by_motion() -> None:
    one, other = (NormalisedErrors(10, np.array(squares), 1) for squares in ([2.0], [8.0, 8.0]))
    metrics = consistency_metrics([one, other])
    assert metrics["nees_10"] == 6.0
    assert metrics["nees_10_motions"] == 3 and metrics["nees_10_left_out"] == 2
    assert (metrics["nees_10_lower"], metrics["nees_10_upper"]) == nees_bounds(3)
    assert consistency_metrics([NormalisedErrors(50, np.array([]))]) == {}
