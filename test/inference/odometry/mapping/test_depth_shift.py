"""Geometric motion by a model that leaves the shift of inverse depth open as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rendered_planes import CAMERA, render, room

from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.network_input import NetworkInput
from monodepth_ros.inference.odometry.geometry import GeometricMotion
from monodepth_ros.inference.odometry.mapping.depth_shift import DepthShift
from monodepth_ros.inference.odometry.view import GreyImage, View
from monodepth_ros.inference.scale.from_points import scale_and_shift_from_points

ENGINE: Any = SimpleNamespace(
    card=SimpleNamespace(scale="relative", unknown_shift=True, resize=None, name="affine"),
    size=(240, 320),
)
SCALE, SHIFT = 0.4, 0.15  # true inverse depth is SCALE * predicted + SHIFT


def view(T: np.ndarray, number: int) -> View:
    grey, depth, _ = render(room(), T)
    seen = NetworkInput(ENGINE, SimpleNamespace(size=ENGINE.size), np.stack([grey] * 3, -1))
    seen.keep_inverse_depth(((1 / depth - SHIFT) / SCALE).astype(np.float32))
    return View(seen, number * 33_000_000, CAMERA, GreyImage(grey, CAMERA))


def test_the_points_tell_the_shift_and_then_the_motion() -> None:
    step = motion_of(np.array([0.07, -0.005, 0.04, 0.002, 0.008, 0.001]))
    true = [np.linalg.matrix_power(step, k) for k in range(9)]
    views = [view(T, k) for k, T in enumerate(true)]
    method = GeometricMotion(ENGINE)
    motions = [method.motion(*pair) for pair in zip(views, views[1:], strict=False)]
    measured = [motion.measured for motion in motions]
    first = measured.index(True)
    assert first < 5 and all(measured[first:])
    said = "the shift of depth is not known: "
    assert all(motion.fallback.startswith(said) for motion in motions[:first])
    poses = [np.eye(4)]
    for motion in motions:
        poses.append(poses[-1] @ motion.T_earlier_later)
    # In the model's own unit: an inverse depth of q + SHIFT / SCALE.
    end, expected = poses[-1][:3, 3] / SCALE, true[-1][:3, 3]
    assert np.linalg.norm(end - expected) < 0.08 * np.linalg.norm(expected)
    turned = poses[-1][:3, :3].T @ true[-1][:3, :3]
    assert np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1)) < 0.005
    assert method._shift.value == pytest.approx(SHIFT / SCALE, abs=0.05)


def test_the_shift_is_known_without_points_where_none_is_open() -> None:
    shift = DepthShift(is_open=False)
    assert shift.value == 0.0
    shift.follow(np.ones(50), np.full(50, 1e-4), np.linspace(0.5, 2, 50))
    assert shift.value == 0.0


def test_the_shift_follows_the_landmarks() -> None:
    shift = DepthShift(is_open=True)
    assert shift.value is None
    generator = np.random.default_rng(0)
    predicted = generator.uniform(0.2, 1.5, 200)
    noise = np.full(200, 1e-4)
    shift.begin(scale_and_shift_from_points(0.5 * predicted + 0.1, noise, predicted))
    assert shift.value == pytest.approx(0.2, abs=1e-3)
    for _ in range(10):  # another scale is none of its business
        shift.follow(0.8 * predicted + 0.24, noise, predicted)
    assert shift.value == pytest.approx(0.3, abs=0.02)
