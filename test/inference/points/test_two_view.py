"""Two views: rotation, direction and kind against exact geometry, and against real poses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from point_scenes import CAMERA, random_motion, scene, seen_after

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import project, rays
from monodepth_ros.geometry.rigid_motion import inverse, motion_of, rotation_angle
from monodepth_ros.inference.points.tracks import PointTracker
from monodepth_ros.inference.points.two_view import two_view


def turn_error(found: np.ndarray, true: np.ndarray) -> float:
    """Degrees between two rotations."""
    return float(np.degrees(rotation_angle(found[:3, :3].T @ true[:3, :3])))


def direction_error(found: np.ndarray, true: np.ndarray) -> float:
    """Degrees between two directions."""
    one, other = (T[:3, 3] / np.linalg.norm(T[:3, 3]) for T in (found, true))
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)))


def noisy(pixels: np.ndarray, seed: int, noise: float = 0.3) -> np.ndarray:
    return pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape)


@pytest.mark.parametrize("seed", range(5))
def test_exact_matches_give_the_exact_motion(seed: int) -> None:
    points, T = scene("general", 100, seed), random_motion(seed)
    found = two_view(project(CAMERA, points), seen_after(points, T), CAMERA)
    assert found.kind == "general"
    assert found.sure
    assert found.inliers.all()
    assert np.linalg.norm(found.T_first_second[:3, 3]) == pytest.approx(1)
    assert turn_error(found.T_first_second, T) < 1e-4
    assert direction_error(found.T_first_second, T) < 1e-3
    assert found.error < 1e-4


def test_noise_costs_a_fraction_of_a_degree() -> None:
    turns, directions = [], []
    for seed in range(20):
        points, T = scene("general", 200, seed), random_motion(seed)
        one, other = noisy(project(CAMERA, points), seed), noisy(seen_after(points, T), seed + 100)
        found = two_view(one, other, CAMERA)
        assert found.kind == "general"
        turns.append(turn_error(found.T_first_second, T))
        directions.append(direction_error(found.T_first_second, T))
    assert np.median(turns) < 0.05
    assert np.median(directions) < 0.6


@pytest.mark.parametrize("seed", range(5))
def test_a_turn_is_a_turn(seed: int) -> None:
    points, T = scene("general", 100, seed), random_motion(seed, length=0.0)
    found = two_view(project(CAMERA, points), noisy(seen_after(points, T), seed), CAMERA)
    assert found.kind == "rotation"
    assert not found.T_first_second[:3, 3].any()
    assert turn_error(found.T_first_second, T) < 0.03


@pytest.mark.parametrize("seed", range(5))
def test_a_plane_leaves_two_motions_of_which_the_prior_takes_one(seed: int) -> None:
    points, T = scene("plane", 200, seed), random_motion(seed)
    one, other = noisy(project(CAMERA, points), seed), noisy(seen_after(points, T), seed + 100)
    found = two_view(one, other, CAMERA)
    assert found.kind == "planar"
    motions = [found.T_first_second, *found.rivals]
    assert min(direction_error(motion, T) for motion in motions) < 3
    expected = T @ motion_of(np.array([0.03, -0.03, 0.03, 0.01, 0.0, -0.01]))
    known = two_view(one, other, CAMERA, prior=expected)
    assert known.kind == "planar"
    assert direction_error(known.T_first_second, T) < 3
    assert turn_error(known.T_first_second, T) < 0.3


def with_mover(seed: int, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Matches, the camera's motion, and which matches lie on a body that moves by itself."""
    generator = np.random.default_rng(seed)
    points, T = scene("general", 200, seed), random_motion(seed)
    count = int(share * 200)
    pixels = generator.uniform([200, 120], [440, 360], (count, 2))
    points[:count] = rays(CAMERA, pixels) * generator.uniform(2, 3, (count, 1))
    after = points.copy()
    after[:count] += 0.15 * generator.normal(size=3)
    moves = np.arange(200) < count
    one, other = noisy(project(CAMERA, points), seed), noisy(seen_after(after, T), seed + 100)
    return one, other, T, moves


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_mover_does_not_take_the_motion_away(share: float) -> None:
    """With a prior that is off by about a third of the motion and a degree."""
    right = []
    for seed in range(20):
        one, other, T, _ = with_mover(seed, share)
        off = np.random.default_rng(seed).normal(0, [0.04] * 3 + [0.01] * 3)
        found = two_view(one, other, CAMERA, prior=T @ motion_of(off))
        right.append(turn_error(found.T_first_second, T) < 0.3)
    assert np.mean(right) >= 0.8


@pytest.mark.parametrize("count", range(8))
def test_fewer_than_eight_matches_say_nothing(count: int) -> None:
    points = scene("general", count)
    found = two_view(project(CAMERA, points), seen_after(points, random_motion(0)), CAMERA)
    assert found.kind == "too_few"
    assert str(count) in found.reason
    assert found.inliers.shape == (count,)


def test_what_is_not_finite_and_what_is_repeated_does_not_count() -> None:
    points, T = scene("general", 100), random_motion(0)
    one, other = project(CAMERA, points), seen_after(points, T)
    one[3], other[5] = np.nan, np.inf
    found = two_view(one, other, CAMERA)
    assert found.kind == "general"
    assert np.flatnonzero(~found.inliers).tolist() == [3, 5]
    same = two_view(np.repeat(one[:1], 50, 0), np.repeat(other[:1], 50, 0), CAMERA)
    assert same.kind == "too_few"
    assert "1 distinct" in same.reason


def test_matches_on_a_line_say_nothing() -> None:
    one = np.column_stack([np.linspace(50, 600, 40), np.linspace(40, 420, 40)])
    depth = np.random.default_rng(0).uniform(2, 8, (40, 1))
    other = seen_after(rays(CAMERA, one) * depth, random_motion(0))
    found = two_view(one, other, CAMERA)
    assert found.kind == "too_few"
    assert "line" in found.reason


def test_the_same_image_is_no_motion() -> None:
    pixels = project(CAMERA, scene("general", 60))
    found = two_view(pixels, pixels, CAMERA)
    assert found.kind == "rotation"
    assert turn_error(found.T_first_second, np.eye(4)) < 1e-4


def test_real_frames_of_an_office(real_data: Path) -> None:
    """HoloLens walk, frames 130 to 180, four frames (about 30 cm) apart."""
    folder = real_data / "hololens_office"
    files = sorted(path for path in folder.rglob("*.jpg"))[130:180]
    poses = np.loadtxt(folder / "poses.txt").reshape(-1, 4, 4)[130:180]
    K = np.loadtxt(folder / "K.txt")
    greys = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files]
    height, width = greys[0].shape
    camera = PinholeCamera(width, height, K)
    tracker, seen = PointTracker(), []
    turns, directions = [], []
    for index, grey in enumerate(greys):
        seen.append(tracker.add(grey))
        T = inverse(poses[index - 4]) @ poses[index]
        if index < 4 or np.linalg.norm(T[:3, 3]) < 0.1:
            continue
        _, then, now = np.intersect1d(seen[-5].ids, seen[-1].ids, return_indices=True)
        found = two_view(seen[-5].pixels[then], seen[-1].pixels[now], camera)
        if found.kind in ("general", "planar"):
            turns.append(turn_error(found.T_first_second, T))
            directions.append(direction_error(found.T_first_second, T))
    assert len(turns) > 15
    print(f"{len(turns)} pairs: {np.median(turns):.2f} and {np.median(directions):.1f} degrees")
    assert np.median(turns) < 1.0
    assert np.median(directions) < 10
