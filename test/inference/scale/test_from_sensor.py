"""Metres from points that another sensor measures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import pixel_centres, rays
from monodepth_ros.inference.scale.from_sensor import (
    SensorScale,
    SensorScaleSettings,
    visible_points,
)
from monodepth_ros.stamps import SECOND

CAMERA = PinholeCamera.centred(120, 160, 130.0)


def ground(height: float = 1.5) -> np.ndarray:
    """Inverse depth HxW of the ground before a camera that looks down a little."""
    directions = rays(CAMERA, pixel_centres(120, 160)).reshape(120, 160, 3)
    return np.asarray((0.95 * directions[..., 1] + 0.45) / height, np.float32)


def measured(count: int, seed: int = 0) -> np.ndarray:
    """Points (N, 3) of the ground, some beside the image and behind the camera."""
    generator = np.random.default_rng(seed)
    pixels = generator.uniform([0, 0], [159, 119], (count, 2))
    x, y = pixels.round().astype(int).T
    points = rays(CAMERA, pixels.round()) / ground()[y, x, None]
    return np.concatenate([points, [[0, 0, -3.0], [50, 0, 1.0], [np.nan, 0, 1]]])


@pytest.mark.parametrize("with_shift", [False, True])
def test_few_points_give_scale_and_shift(with_shift: bool) -> None:
    scale = SensorScale(with_shift)
    shift = 0.1 if with_shift else 0.0
    generator = np.random.default_rng(0)
    network = (ground() - shift) / 0.5 * np.exp(generator.normal(0, 0.02, (120, 160)))
    fit = scale.add(measured(200), CAMERA, SECOND, network.astype(np.float32))
    assert fit.reason == "" and scale.scale is not None
    assert scale.scale.factor == pytest.approx(2.0, rel=0.02)
    assert scale.scale.shift == pytest.approx(shift, abs=0.01)


def test_hidden_points_do_not_count() -> None:
    wall = rays(CAMERA, pixel_centres(120, 160)[::17]) * 2.0
    behind = wall * 3.0
    pixels, depth = visible_points(np.concatenate([behind, wall]), CAMERA, SensorScaleSettings())
    assert depth.max() == pytest.approx(2.0) and len(pixels) == len(wall)


def test_masked_pixels_and_too_many_points_do_not_count() -> None:
    valid = np.ones((120, 160), bool)
    valid[:, :80] = False
    camera = replace(CAMERA, valid=valid)
    pixels, _ = visible_points(measured(5000), camera, SensorScaleSettings(most=300))
    assert len(pixels) == 300 and pixels[:, 0].min() > 79


def test_nothing_measured_is_told() -> None:
    scale = SensorScale(with_shift=False)
    scale.add(np.empty((0, 3)), CAMERA, SECOND, ground())
    assert scale.scale is None and "0 points with a depth" in scale.missing
