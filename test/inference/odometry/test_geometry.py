"""Geometric motion in a rendered room: exact geometry, wrong depth, turns, lost points."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rendered_planes import CAMERA, render, room
from scipy.spatial.transform import Rotation

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.geometry.rigid_motion import inverse, motion_of, rotation_angle
from monodepth_ros.inference.network_input import NetworkInput
from monodepth_ros.inference.odometry.geometry import GeometricMotion
from monodepth_ros.inference.odometry.mapping.resection import Places, locate
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import GreyImage, View, Views

ENGINE: Any = SimpleNamespace(
    card=SimpleNamespace(scale="relative", unknown_shift=False, resize=None, name="drawn"),
    size=(240, 320),
)
STEP = 33_000_000  # nanoseconds
RECORDINGS = Path(__file__).parents[3] / "../shared/data"


def view(surfaces: Any, T: np.ndarray, number: int, factor: float = 1.0) -> View:
    """What the camera sees, and ``factor`` times the true inverse depth as prediction."""
    grey, depth, _ = render(surfaces, T)
    seen = NetworkInput(ENGINE, SimpleNamespace(size=ENGINE.size), np.stack([grey] * 3, -1))
    seen.keep_inverse_depth((factor / depth).astype(np.float32))
    return View(seen, number * STEP, CAMERA, GreyImage(grey, CAMERA))


def walk(count: int, twist: Any = (0.03, -0.005, 0.04, 0.002, 0.008, 0.001)) -> list[np.ndarray]:
    poses = [np.eye(4)]
    for number in range(count - 1):
        sway = np.array([0, 0, 0, 0.004 * np.sin(number / 3), 0.006 * np.cos(number / 4), 0])
        poses.append(poses[-1] @ motion_of(np.asarray(twist) + sway))
    return poses


def followed(views: list[View], method: GeometricMotion | None = None) -> list[Any]:
    method = method or GeometricMotion(ENGINE)
    return [method.motion(*pair) for pair in zip(views, views[1:], strict=False)]


def chained(motions: list[Any]) -> np.ndarray:
    poses = [np.eye(4)]
    for motion in motions:
        poses.append(poses[-1] @ motion.T_earlier_later)
    return np.array(poses)


def off(poses: np.ndarray, true: list[np.ndarray]) -> tuple[float, float]:
    """Largest distance from the truth in metres, and largest rotation, in radians."""
    shifts = np.linalg.norm(poses[:, :3, 3] - np.array(true)[:, :3, 3], axis=1)
    turns = rotation_angle(np.swapaxes(poses[:, :3, :3], 1, 2) @ np.array(true)[:, :3, :3])
    return float(shifts.max()), float(turns.max())


def test_a_walk_through_a_room_with_true_depth() -> None:
    true = walk(20)
    motions = followed([view(room(), T, k) for k, T in enumerate(true)])
    shift, turn = off(chained(motions), true)
    length = np.linalg.norm(np.diff(np.array(true)[:, :3, 3], axis=0), axis=1).sum()
    assert shift < 0.02 * length and turn < 0.005
    assert {m.method for m in motions} == {"geometry"} and not any(m.fallback for m in motions)
    assert min(m.inliers for m in motions) > 60
    assert all(0 < m.reprojection_error < 0.5 for m in motions)


def test_landmarks_carry_the_scale_through_keyframes_whatever_depth_says_later() -> None:
    """After the first image, each predicts depth at a scale of its own, 30 % apart."""
    true = walk(24)
    wrong = np.exp(np.random.default_rng(2).normal(0, 0.3, len(true)))
    wrong[0] = 1.0
    method = GeometricMotion(ENGINE)
    motions = followed([view(room(), T, k, wrong[k]) for k, T in enumerate(true)], method)
    assert method._map.keyframes[-1].number >= 3
    found = chained(motions)
    ratios = [
        np.linalg.norm((inverse(found[k]) @ found[k + 6])[:3, 3])
        / np.linalg.norm((inverse(true[k]) @ true[k + 6])[:3, 3])
        for k in (0, 6, 12, 17)
    ]
    assert np.abs(np.log(ratios)).max() < 0.2


def test_a_turn_alone_is_no_translation() -> None:
    true = walk(12, (0, 0, 0, 0.0, 0.02, 0.0))
    shift, turn = off(chained(followed([view(room(), T, k) for k, T in enumerate(true)])), true)
    assert shift < 0.02 and turn < 0.004


def test_where_points_are_lost_it_says_so_and_begins_again_at_the_same_scale() -> None:
    true = walk(14)
    views = [view(room(), T, k) for k, T in enumerate(true)]
    # Another place altogether, as after a blow: nothing can be found again.
    elsewhere = motion_of(np.array([0.3, 0.1, 0.5, 0.0, 1.2, 0.0]))
    views[7:] = [view(room(), elsewhere @ T, k) for k, T in enumerate(true)][7:]
    motions = followed(views)
    assert [bool(m.fallback) for m in motions] == [k == 6 for k in range(13)]
    assert motions[6].covariance[0, 0] > 3 * motions[5].covariance[0, 0]
    lengths = [np.linalg.norm(m.T_earlier_later[:3, 3]) for m in motions]
    for number in range(8, 13):
        expected = np.linalg.norm((inverse(true[number]) @ true[number + 1])[:3, 3])
        assert lengths[number] == pytest.approx(expected, rel=0.1)


def test_another_view_than_the_last_begins_anew() -> None:
    true = walk(6)
    views = [view(room(), T, k) for k, T in enumerate(true)]
    method = GeometricMotion(ENGINE)
    followed(views[:4], method)
    again = method.motion(views[1], views[2])
    fresh = GeometricMotion(ENGINE).motion(views[1], views[2])
    np.testing.assert_array_equal(again.T_earlier_later, fresh.T_earlier_later)


def test_an_image_without_corners_is_a_lost_one_not_an_error() -> None:
    blank = [view([], np.eye(4), k) for k in range(3)]
    for motion in followed(blank):
        assert motion.fallback and np.isfinite(motion.covariance).all()
        np.testing.assert_array_equal(motion.T_earlier_later, np.eye(4))


def test_the_pose_from_landmarks_is_exact_and_as_sure_as_it_says() -> None:
    """NEES of 300 poses from noisy points and landmarks with uncertain depth, after its bounds."""
    generator, squares = np.random.default_rng(0), []
    true = motion_of(np.array([0.1, -0.05, 0.2, 0.02, -0.05, 0.03]))
    points = generator.uniform([-2, -1.5, 3], [2, 1.5, 8], (80, 3))
    seen = (points - true[:3, 3]) @ true[:3, :3]
    seen = seen[:, :2] / seen[:, 2:]
    sure = Places(points, -points, np.full(80, 1e-12))
    np.testing.assert_allclose(locate(np.eye(4), sure, seen, 1e-3).T_world_camera, true, atol=1e-7)
    for _ in range(300):
        off = generator.normal(0, 0.05, 80)
        places = Places(points * np.exp(-off)[:, None], -points, np.full(80, 0.05**2))
        noisy = seen + generator.normal(0, 1e-3, seen.shape)
        found = locate(np.eye(4), places, noisy, 1e-3)
        error = inverse(found.T_world_camera) @ true
        twist = np.r_[error[:3, 3], Rotation.from_matrix(error[:3, :3]).as_rotvec()]
        squares.append(twist @ found.information @ twist)
    # The Cauchy loss gives Gaussian noise about 0.75 of its weight.
    assert 0.7 * 6 < np.mean(squares) < 1.05 * 6


@pytest.mark.slow
@pytest.mark.parametrize(
    "recording, frames, bound, by_true_steps",
    [
        ("7scenes_redkitchen", "350:470", 0.05, 0.05),
        ("hololens_office", "130:200", 0.15, 0.08),
        ("kitti_odometry_06_gray", "30:51", 0.35, 0.05),
    ],
)
def test_real_recordings(recording: str, frames: str, bound: float, by_true_steps: float) -> None:
    """ATE in metres, by own lengths and by true ones; the five-point peer's are larger."""
    path = RECORDINGS / recording
    if not path.exists():
        pytest.skip(f"{path} is absent")
    (sequence, *_) = map(rectified, open_sequence(f"{path}@{frames}"))
    method = load_method("geometry", "demo", "cpu")
    maker = Views(method.engine, method.sees_grey)
    views = [maker.view(sequence.image(k), sequence.camera, k * STEP) for k in range(len(sequence))]
    estimate = chained([method.motion(*pair) for pair in zip(views, views[1:], strict=False)])
    truth = np.array([sequence.pose(k) for k in range(len(sequence))])
    assert ate(estimate, truth) < bound
    assert ate(with_lengths_of(estimate, truth), truth) < by_true_steps


def ate(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Root mean square distance after the best similarity."""
    x, y = (poses[:, :3, 3] - poses[:, :3, 3].mean(0) for poses in (estimate, truth))
    U, D, Vt = np.linalg.svd(y.T @ x)
    signs = np.array([1, 1, np.linalg.det(U) * np.linalg.det(Vt)])
    R, scale = U * signs @ Vt, (D * signs).sum() / (x**2).sum()
    return float(np.sqrt(((scale * x @ R.T - y) ** 2).sum(1).mean()))


def with_lengths_of(estimate: np.ndarray, truth: np.ndarray) -> np.ndarray:
    poses = [np.eye(4)]
    for k in range(len(truth) - 1):
        step = inverse(estimate[k]) @ estimate[k + 1]
        length = np.linalg.norm((inverse(truth[k]) @ truth[k + 1])[:3, 3])
        step[:3, 3] *= length / max(np.linalg.norm(step[:3, 3]), 1e-9)
        poses.append(poses[-1] @ step)
    return np.array(poses)
