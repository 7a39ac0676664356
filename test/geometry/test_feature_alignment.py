"""Pose refinement against autograd, known poses, and inputs that teach nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.feature_alignment import (
    AlignmentLevel,
    AlignmentSettings,
    _Matcher,
    _pixel_jacobian,
    alignment_level,
    refine_pose,
)
from monodepth_ros.geometry.warp import warp

HEIGHT, WIDTH = 48, 64
ALL = AlignmentSettings(points=None, iterations=10)


def intrinsics(height: int, width: int) -> Tensor:
    return torch.tensor([[[0.8 * width, 0, width / 2], [0, 0.8 * width, height / 2], [0, 0, 1]]])


def smooth_features(channels: int, seed: int, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Random features with structure of some ten pixels, of unit length."""
    coarse = torch.randn(
        1, channels, height // 8, width // 8, generator=torch.Generator().manual_seed(seed)
    )
    fine = torch.nn.functional.interpolate(
        coarse, (height, width), mode="bicubic", align_corners=True
    )
    return torch.nn.functional.normalize(fine, dim=1)


def hilly_depth(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 6, height), torch.linspace(0, 7, width), indexing="ij")
    return (3 + torch.sin(x) * torch.cos(y) + 0.3 * y)[None, None]


def seen_pair(T: Tensor, depth: Tensor, channels: int = 8) -> AlignmentLevel:
    """A target rendered from its source by a known pose; what is not seen has no weight."""
    K = intrinsics(*depth.shape[-2:])
    source = smooth_features(channels, 1, *depth.shape[-2:])
    target, valid = warp(source, depth, T, K)
    return AlignmentLevel(target, source, depth, K, weight=valid.float(), damping=0.01)


def pose(*twist: float) -> Tensor:
    return se3.exp(torch.tensor([twist], dtype=torch.float32))


def left_over(T: Tensor, truth: Tensor) -> tuple[float, float]:
    """Rotation in degrees and translation in metres."""
    difference = se3.inverse(truth) @ T
    angle = se3.axis_angle_from_rotation(difference[:, :3, :3]).norm().rad2deg()
    return float(angle), float((T - truth)[:, :3, 3].norm())


def test_the_jacobian_of_pixels_is_autograds() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(1, 3, 5, generator=generator, dtype=torch.float64) + 1
    K = intrinsics(HEIGHT, WIDTH).double()
    K[:, 0, 1] = 0.7  # a skewed camera too

    def pixels(step: Tensor) -> Tensor:
        T = se3.from_axis_angle_translation(step[None, 3:], step[None, :3])
        projected = K @ (T[:, :3, :3] @ points + T[:, :3, 3:])
        return projected[:, :2] / projected[:, 2:]

    expected = torch.autograd.functional.jacobian(pixels, torch.zeros(6, dtype=torch.float64))
    x, y, z = points.unbind(1)
    du, dv = _pixel_jacobian(x / z, y / z, z, K)
    torch.testing.assert_close(du, expected[:, 0].mT, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(dv, expected[:, 1].mT, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_the_cost_is_autograds() -> None:
    """Features that are linear in the pixel: their central differences are exact."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    planes = torch.stack([x, y, x + 2 * y]).float()[None] / 100
    level = AlignmentLevel(planes.flip(1), planes, hilly_depth(), intrinsics(HEIGHT, WIDTH))
    T = pose(0.02, -0.01, 0.03, 0.004, -0.003, 0.002)

    def cost(step: Tensor, settings: AlignmentSettings) -> Tensor:
        moved = se3.from_axis_angle_translation(step[:, 3:], step[:, :3]) @ T
        _, _, count, mean = _Matcher(level, settings, None).normal_equations(moved)
        return (count * mean).sum()

    for scale in (0.0, 0.1):
        settings = replace(ALL, robust_scale=scale)
        step = torch.zeros(1, 6, requires_grad=True)
        (expected,) = torch.autograd.grad(cost(step, settings), step)
        _, g, _, _ = _Matcher(level, settings, None).normal_equations(T)
        torch.testing.assert_close(2 * g, expected, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("seed", range(3))
def test_a_disturbed_pose_comes_back(seed: int) -> None:
    truth = pose(0.12, -0.05, 0.1, 0.01, -0.02, 0.015)
    generator = torch.Generator().manual_seed(seed)
    direction = torch.nn.functional.normalize(torch.randn(2, 3, generator=generator), dim=1)
    disturbance = torch.cat(
        [0.02 * truth[0, :3, 3].norm() * direction[0], torch.tensor(0.5).deg2rad() * direction[1]]
    )
    start = se3.exp(disturbance[None]) @ truth
    refined = refine_pose(start, [seen_pair(truth, hilly_depth())], ALL)
    (angle, shift), (angle_before, shift_before) = (left_over(T, truth) for T in (refined.T, start))
    assert angle < angle_before / 5
    assert shift < shift_before / 5
    assert refined.shortened == 0 and refined.refused == 0


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_translation_follows_the_scale_of_depth(scale: float) -> None:
    """What SA4Depth rests on: a depth map scaled by s is explained by a translation times s."""
    truth = pose(0.12, -0.05, 0.1, 0.01, -0.02, 0.015)
    level = seen_pair(truth, hilly_depth())
    level = replace(level, depth=scale * level.depth)
    refined = refine_pose(truth, [level], replace(ALL, iterations=20)).T
    torch.testing.assert_close(refined[:, :3, 3], scale * truth[:, :3, 3], rtol=0.02, atol=1e-3)
    torch.testing.assert_close(refined[:, :3, :3], truth[:, :3, :3], rtol=0, atol=1e-3)


def test_nothing_left_over_is_no_step() -> None:
    truth = pose(0.1, 0, 0.05, 0, 0.01, 0)
    level = replace(seen_pair(truth, hilly_depth()))
    refined = refine_pose(truth, [level], AlignmentSettings(points=None, iterations=1))
    torch.testing.assert_close(refined.T, truth, rtol=0, atol=1e-6)
    assert refined.cost < 1e-9


@pytest.mark.parametrize("cause", ["weight", "depth", "behind", "few"])
def test_without_points_the_pose_stays(cause: str) -> None:
    start = pose(0.1, 0, 0.05, 0, 0.01, 0)
    level = seen_pair(start, hilly_depth())
    settings = ALL
    if cause == "weight":
        level = replace(level, weight=torch.zeros_like(level.depth))
    elif cause == "depth":
        level = replace(level, depth=torch.full_like(level.depth, torch.nan))
    elif cause == "behind":
        start = pose(0, 0, -50, 0, 0, 0)
    else:
        settings = replace(ALL, points=9)
    refined = refine_pose(start, [level], settings)
    assert torch.equal(refined.T, start)
    assert refined.refused == 1


def test_one_bad_pair_leaves_the_others_alone() -> None:
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    good = seen_pair(truth, hilly_depth())
    start = pose(0.01, 0, 0, 0.003, 0, 0) @ truth
    alone = refine_pose(start, [good], ALL).T
    both = AlignmentLevel(
        torch.cat([good.target, torch.full_like(good.target, torch.nan)]),
        good.source.expand(2, -1, -1, -1),
        good.depth.expand(2, -1, -1, -1),
        good.K.expand(2, -1, -1),
        damping=good.damping,
    )
    assert good.weight is not None
    both = replace(both, weight=good.weight.expand(2, -1, -1, -1))
    refined = refine_pose(start.expand(2, -1, -1), [both], ALL)
    torch.testing.assert_close(refined.T[:1], alone)
    assert torch.equal(refined.T[1:], start)


def test_gradients_reach_everything_and_stay_finite() -> None:
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    level = seen_pair(truth, hilly_depth())
    for weight in (level.weight, torch.zeros_like(level.depth)):
        assert weight is not None
        inputs = {
            "T": pose(0.01, 0, 0, 0.003, 0, 0) @ truth,
            "target": level.target.clone(),
            "source": level.source.clone(),
            "depth": level.depth.clone(),
            "weight": weight.clone(),
            "source_weight": torch.full_like(weight, 0.7),
            "damping": torch.full((6,), 0.3),
        }
        for tensor in inputs.values():
            tensor.requires_grad_()
        T = inputs.pop("T")
        learnt = AlignmentLevel(K=level.K, **inputs)
        refined = refine_pose(T, [learnt, learnt], AlignmentSettings(points=500, iterations=2))
        refined.T.square().sum().backward()
        for name, tensor in {"T": T, **inputs}.items():
            assert tensor.grad is not None and tensor.grad.isfinite().all(), name
            if weight.any():
                assert tensor.grad.abs().sum() > 0, name


def test_the_subset_of_points_is_drawn_by_the_generator() -> None:
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    level, start = seen_pair(truth, hilly_depth()), pose(0.03, 0, 0, 0.005, 0, 0) @ truth
    settings = AlignmentSettings(points=100, iterations=2)
    first, again, other = (
        refine_pose(start, [level], settings, torch.Generator().manual_seed(seed)).T
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_too_long_steps_are_shortened_and_counted() -> None:
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    level = seen_pair(truth, hilly_depth())
    settings = replace(ALL, iterations=1, largest_rotation=1e-4, largest_translation=(0.0, 1e-4))
    start = pose(0.03, 0, 0, 0.01, 0, 0) @ truth
    refined = refine_pose(start, [level], settings)
    assert refined.shortened == 1
    angle, _ = left_over(refined.T, start)
    assert angle <= torch.tensor(1e-4).rad2deg() * 1.01


def test_the_gradient_of_the_last_step_is_that_of_the_optimum() -> None:
    """At the optimum, one step carries what all of them together do."""
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    level = seen_pair(truth, hilly_depth())
    gradients = []
    for steps in (None, 1):
        depth = level.depth.clone().requires_grad_()
        settings = replace(ALL, iterations=12, gradient_steps=steps)
        # Undamped steps go to the optimum at once, so that the last of them starts there.
        learnt = replace(level, depth=depth, damping=1e-4)
        refine_pose(truth, [learnt], settings).T[:, :3, 3].sum().backward()
        assert depth.grad is not None
        gradients.append(depth.grad.flatten())
    every, last = gradients
    assert torch.nn.functional.cosine_similarity(every, last, dim=0) > 0.99
    assert 0.9 < last.norm() / every.norm() < 1.1


def test_without_gradient_steps_the_start_keeps_its_gradient() -> None:
    truth = pose(0.1, 0.02, 0.05, 0, 0.01, 0)
    level = seen_pair(truth, hilly_depth())
    start, depth = truth.clone().requires_grad_(), level.depth.clone().requires_grad_()
    settings = replace(ALL, gradient_steps=0)
    refine_pose(start, [replace(level, depth=depth)], settings).T.sum().backward()
    assert start.grad is not None and start.grad.abs().sum() > 0
    assert depth.grad is None


def test_a_level_holds_every_pair_of_a_target_and_its_sources() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 3, 4, 8, 12, generator=generator)
    confidence = torch.rand(2, 3, 1, 8, 12, generator=generator)
    inverse_depth = torch.full((2, 1, 16, 24), 0.5)
    weight = torch.ones(2, 1, 16, 24)
    weight[:, :, :8] = 0
    K = intrinsics(16, 24).expand(2, 3, 3)
    level = alignment_level(features, inverse_depth, K, confidence, weight)
    assert torch.equal(level.target[:2], features[:1, 0].expand(2, -1, -1, -1))
    assert torch.equal(level.source[3], features[1, 2])
    assert level.weight is not None and level.source_weight is not None
    assert torch.equal(level.weight[2, :, 4:], confidence[1, 0, :, 4:])
    assert not level.weight[:, :, :4].any()
    assert torch.equal(level.source_weight[0], confidence[0, 1])
    torch.testing.assert_close(level.depth, torch.full((4, 1, 8, 12), 2.0))
    half = PinholeCamera(24, 16, K[0].numpy()).resized(8, 12)
    np.testing.assert_allclose(level.K[0], half.K, rtol=1e-6)
