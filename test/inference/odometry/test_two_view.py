"""Two views: rotation, direction and kind against exact geometry."""

from __future__ import annotations

import numpy as np
import pytest
from point_scenes import CAMERA, random_motion, scene, seen_after

from monodepth_ros.geometry.lens import project
from monodepth_ros.geometry.rigid_motion import rotation_angle
from monodepth_ros.inference.odometry.two_view import two_view


def errors(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Degrees between two rotations, and between two directions."""
    turn = np.degrees(rotation_angle(found[:3, :3].T @ true[:3, :3]))
    length = np.linalg.norm(true[:3, 3]) * np.linalg.norm(found[:3, 3])
    return float(turn), float(np.degrees(np.arccos(found[:3, 3] @ true[:3, 3] / length)))


@pytest.mark.parametrize("seed", range(5))
def test_exact_matches_give_the_exact_motion(seed: int) -> None:
    points, T = scene("general", 100, seed), random_motion(seed)
    found = two_view(project(CAMERA, points), seen_after(points, T), CAMERA)
    assert found.kind == "general"
    assert found.inliers.all()
    assert np.linalg.norm(found.T_first_second[:3, 3]) == pytest.approx(1)
    assert max(errors(found.T_first_second, T)) < 1e-3
    assert found.error < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_a_turn_is_a_turn(seed: int) -> None:
    points, T = scene("general", 100, seed), random_motion(seed, length=0.0)
    found = two_view(project(CAMERA, points), seen_after(points, T), CAMERA)
    assert found.kind == "rotation"
    assert not found.T_first_second[:3, 3].any()
    assert rotation_angle(found.T_first_second[:3, :3].T @ T[:3, :3]) < 1e-7


@pytest.mark.parametrize("count", range(8))
def test_fewer_than_eight_matches_say_nothing(count: int) -> None:
    points = scene("general", count)
    found = two_view(project(CAMERA, points), seen_after(points, random_motion(0)), CAMERA)
    assert found.kind == "too_few"
    assert str(count) in found.reason
    assert found.inliers.shape == (count,)
