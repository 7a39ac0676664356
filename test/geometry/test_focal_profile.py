"""The focal length that the motion of points fits."""

from __future__ import annotations

import pytest
import torch

from monodepth_ros.geometry.focal_profile import focal_profile
from monodepth_ros.geometry.se3 import rotation_from_axis_angle

SCALES = torch.tensor([0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4], dtype=torch.float64)
K = torch.tensor([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]], dtype=torch.float64)


def two_views(turn: list[float], move: list[float], noise: float = 0.0) -> tuple[torch.Tensor, ...]:
    """Pixels of random points in two views, and the motion between them."""
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(120, 3, dtype=torch.float64, generator=generator)
    points = points * torch.tensor([4.0, 3.0, 4.0]) + torch.tensor([-2.0, -1.5, 2.0])
    rotation = torch.tensor(turn, dtype=torch.float64)
    translation = torch.tensor(move, dtype=torch.float64)
    moved = points @ rotation_from_axis_angle(rotation).T + translation
    first, second = ((p @ K.T)[:, :2] / p[:, 2:] for p in (points, moved))
    spread = torch.randn(second.shape, dtype=torch.float64, generator=generator)
    return first, second + noise * spread, rotation, translation


@pytest.mark.parametrize("wrong", [0.8, 1.0, 1.25])
def test_the_right_focal_length_has_no_error(wrong: float) -> None:
    first, second, rotation, translation = two_views([0.03, 0.12, -0.02], [0.3, 0.05, 0.1])
    stated = K.clone()
    stated[0, 0] *= wrong
    stated[1, 1] *= wrong
    scales = SCALES / wrong
    start = rotation / wrong + 0.01  # not quite right
    errors = focal_profile(first, second, stated, scales, start, translation)
    assert int(errors.argmin()) == 3 and errors[3] < 1e-6
    assert (errors[[0, 1, 5, 6]] > 1.0).all()


def test_moving_without_turning_fits_every_focal_length() -> None:
    for move in ([0.3, 0.0, 0.0], [0.0, 0.0, 0.5], [0.1, 0.0, 0.4]):
        first, second, rotation, translation = two_views([0.0, 0.0, 0.0], move)
        errors = focal_profile(first, second, K, SCALES, rotation, translation)
        assert (errors < 1e-6).all()


def test_noise_does_not_move_the_best() -> None:
    first, second, rotation, translation = two_views([0.0, 0.15, 0.05], [0.3, 0.1, 0.2], noise=0.3)
    errors = focal_profile(first, second, K, SCALES, rotation, translation)
    assert int(errors.argmin()) == 3
