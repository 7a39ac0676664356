"""Refined poses in training: near the true ones, without a gradient, and where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from corridor import CAMERA, HEIGHT, WIDTH, render
from recipes import SELF_SUPERVISED, SUPERVISED, small_recipe
from steps import loss_of, step_of
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.geometry import se3
from monodepth_ros.geometry.patch_alignment import patch_features
from monodepth_ros.learning.learner import Learner, Predictions
from monodepth_ros.learning.optimisation import build_optimizer
from monodepth_ros.learning.pose_refiner import (
    PoseRefiner,
    RefinementSettings,
    with_fixed_scale,
)
from monodepth_ros.learning.step import Step

PATCHES: dict[str, Any] = {
    "enabled": True,
    "feat_source": "patches",
    "iterations": 8,
    "damping": 0.01,
    "learn_damping": False,
    "gradient_steps": 0,
    "automask": False,
    "warmup_steps": 0,
    "ramp_steps": 0,
    "network_pose_weight": 0.0,
}
CONSISTENT: dict[str, Any] = {**SELF_SUPERVISED, "consistency": {}}
SETTINGS = RefinementSettings(**{**PATCHES, "strides": (4, 2, 1), "points": None, "iterations": 10})


def triplet() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, inverse of the true depth, K, and true motions of a walk sideways."""
    poses = [np.eye(4) for _ in range(3)]
    poses[1][:3, 3] = -0.12, 0.02, -0.05
    poses[2][:3, 3] = 0.10, -0.01, 0.06
    frames = [render(pose) for pose in poses]
    images = np.stack([image for image, _ in frames]).transpose(0, 3, 1, 2)
    inverse_depth = 1 / torch.from_numpy(frames[0][1])[None, None]
    T = np.stack([np.linalg.inv(pose) for pose in poses[1:]])[None]
    return (
        torch.from_numpy(images)[None].float() / 255,
        inverse_depth,
        torch.from_numpy(CAMERA.K)[None].float(),
        torch.from_numpy(T).float(),
    )


def test_true_depth_leads_to_the_true_poses() -> None:
    images, inverse_depth, K, truth = triplet()
    start = torch.eye(4).expand(1, 2, 4, 4)
    refined = PoseRefiner(SETTINGS)(start, inverse_depth, images, K)
    assert refined.refused == 0
    before, after = ((se3.log(se3.inverse(truth) @ T)).norm(dim=-1) for T in (start, refined.T))
    assert (after < before / 5).all()


def test_brightness_does_not_matter() -> None:
    images, inverse_depth, K, _ = triplet()
    start = torch.eye(4).expand(1, 2, 4, 4)
    refiner = PoseRefiner(SETTINGS)
    darker = images.clone()
    darker[:, 1:] -= 0.1
    for ours, theirs in zip(
        refiner(start, inverse_depth, darker, K).T,
        refiner(start, inverse_depth, images, K).T,
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-3)


def test_patches_of_a_plain_image_are_zero() -> None:
    features = patch_features(torch.full((2, 3, HEIGHT, WIDTH), 0.4), 2)
    assert features.shape == (2, 9, HEIGHT // 2, WIDTH // 2)
    assert features.abs().max() < 1e-5


def test_each_images_scale_alone_loses_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    inverse_depths = [0.1 + torch.rand(2, 1, size, size, generator=generator) for size in (8, 4)]
    weights = [torch.rand(r.shape, generator=generator) for r in inverse_depths]

    def loss(scale: Tensor, ratio: Tensor) -> Tensor:
        scale = scale.view(2, 1, 1, 1)  # of each of the two images
        scaled = [inverse_depths[0] * scale, inverse_depths[1] * scale * ratio]
        fixed = with_fixed_scale(scaled)
        return sum((w * d).sum() for w, d in zip(weights, fixed, strict=True))  # type: ignore[misc]

    for ours, theirs in zip(with_fixed_scale(inverse_depths), inverse_depths, strict=True):
        torch.testing.assert_close(ours, theirs)
    scale, ratio = torch.ones(2, requires_grad=True), torch.ones((), requires_grad=True)
    by_scale, by_ratio = torch.autograd.grad(loss(scale, ratio), (scale, ratio))
    assert by_scale.abs().max() < 1e-4 and by_ratio.abs() > 1


def learning(losses: dict[str, Any] = SELF_SUPERVISED, **refinement: object) -> Learner:
    recipe = small_recipe(losses=losses, refinement=refinement)
    torch.manual_seed(0)
    return Learner(recipe).train()


def batch() -> dict[str, Tensor]:
    images, _, K, _ = triplet()
    return {"images": images, "jittered": images, "K": K}


def test_depth_learns_by_refined_poses_and_the_pose_network_follows_them() -> None:
    module = learning(CONSISTENT, **PATCHES, strides=[4, 2])
    found = module.predictions(batch()["images"][:, 0]).inverse_depths
    leaves = [d.detach().requires_grad_() for d in found]
    module.predictions = lambda _: Predictions(leaves)  # type: ignore[method-assign]
    loss, terms = module.training_loss(batch(), 0, None)
    assert {"consistency", "refinement/refused", "refinement/shortened"} <= set(terms)
    assert "photometric/network" not in terms
    torch.testing.assert_close(
        loss.detach(), terms["consistency"] + terms["photometric"] + terms["smoothness"]
    )
    loss.backward()
    assert leaves[0].grad is not None and leaves[0].grad.abs().sum() > 0
    assert all(p.grad is not None for p in module.pose_net.parameters())


LEARNT: dict[str, Any] = {
    "enabled": True,
    "strides": [4, 2],
    "dimensions": [16, 8],
    "warmup_steps": 0,
    "ramp_steps": 0,
    "automask": False,
}


@pytest.mark.parametrize("source", ["own", "depth_encoder"])
def test_features_confidences_damping_and_the_pose_network_learn(source: str) -> None:
    module = learning(**LEARNT, feat_source=source, network_pose_weight=0.0)
    loss, _ = module.training_loss(batch(), 0, None)
    loss.backward()
    parts = [module.refiner.feature_net, module.pose_net, module.depth_net.encoder]
    for name, parameter in module.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    assert all(p.grad is not None for part in parts if part for p in part.parameters())
    assert module.refiner.damping is not None and module.refiner.damping.grad is not None
    assert (module.refiner.damping.grad != 0).any()


def test_the_solver_hands_depth_no_gradient_unless_told() -> None:
    images, inverse_depth, K, _ = triplet()
    for detach in (True, False):
        torch.manual_seed(0)
        settings = RefinementSettings(**LEARNT, detach_depth=detach)
        refiner = PoseRefiner(settings).train()
        inverse_depth = inverse_depth.detach().requires_grad_()
        start = torch.eye(4).expand(1, 2, 4, 4).clone().requires_grad_()
        refined = refiner(start, inverse_depth, images, K)
        by_start, by_depth = torch.autograd.grad(
            refined.T[..., :3, 3].sum(), (start, inverse_depth), allow_unused=True
        )
        assert by_start is not None and by_start.abs().sum() > 0
        assert (by_depth is None) == detach


def test_the_gradient_of_the_last_step_tells_depth_that_poses_follow() -> None:
    """How the error changes with depth's relief, poses aligned anew; constant ones mislead it."""
    images, inverse_depth, K, truth = triplet()
    photometric = loss_of("photometric", automask=False, scales=(0,))
    settings = SETTINGS.model_copy(update={"detach_depth": False, "gradient_steps": 1})

    def error(shift: Tensor, poses_follow: bool = True) -> Tensor:
        shifted = (inverse_depth + shift * inverse_depth.mean()).float()
        T = PoseRefiner(settings)(truth, shifted, images, K).T
        T = T if poses_follow else T.detach()
        return photometric(step_of({"images": images, "K": K}, [shifted], T)).loss

    with torch.no_grad():
        measured = float(error(torch.tensor(0.41)) - error(torch.tensor(0.39))) / 0.02
    shift = torch.tensor(0.4, requires_grad=True)
    (followed,) = torch.autograd.grad(error(shift), shift)
    (constant,) = torch.autograd.grad(error(shift, poses_follow=False), shift)
    assert float(followed) == pytest.approx(measured, rel=0.1)
    assert abs(float(constant) - measured) > 0.25 * abs(measured)


def test_detached_levels_have_a_loss_each() -> None:
    module = learning(**LEARNT, feat_source="own", detach_levels=True, network_pose_weight=0.0)
    loss, _ = module.training_loss(batch(), 0, None)
    loss.backward()
    damping = module.refiner.damping
    assert damping is not None and damping.grad is not None
    assert (damping.grad != 0).any(1).all()


def test_what_the_auto_mask_leaves_out_is_not_aligned() -> None:
    module = learning(**{**LEARNT, "automask": True})
    still = batch()
    still["images"] = still["jittered"] = still["images"][:, :1].expand(-1, 3, -1, -1, -1)
    _, terms = module.training_loss(still, 0, None)
    assert terms["refinement/refused"] == 1.0  # unwarped sources match best everywhere


def test_refined_poses_take_over_after_the_warm_up() -> None:
    settings = RefinementSettings(enabled=True, warmup_steps=4, ramp_steps=3)
    shares = [settings.share(step) for step in range(9)]
    assert shares == [0, 0, 0, 0, 0.25, 0.5, 0.75, 1, 1]


def test_only_after_the_warm_up_and_only_in_training() -> None:
    assert Step(learning(), batch()).refined_share == 0
    assert Step(learning(enabled=True, warmup_steps=1), batch()).refined_share == 0
    assert Step(learning(enabled=True, warmup_steps=1), batch(), 1).refined_share > 0
    module = learning(**PATCHES)
    assert Step(module, batch()).refined_share == 1
    assert Step(module.eval(), batch()).refined_share == 0


def test_both_views_count_by_their_weights() -> None:
    """Smoothness goes with each of them."""
    module = learning(**LEARNT, feat_source="own", network_pose_weight=0.5)
    alone = learning(**LEARNT, feat_source="own", network_pose_weight=0.0)
    loss, terms = module.training_loss(batch(), 0, None)
    _, terms_alone = alone.training_loss(batch(), 0, None)
    views = terms["photometric/refined"] + 0.5 * terms["photometric/network"]
    torch.testing.assert_close(terms["photometric"], views)
    torch.testing.assert_close(terms["smoothness"], 1.5 * terms_alone["smoothness"])
    torch.testing.assert_close(loss.detach(), views + terms["smoothness"])


def test_there_is_no_consistency_before_refined_poses_take_over() -> None:
    module = learning(CONSISTENT, **{**PATCHES, "warmup_steps": 3})
    _, terms = module.training_loss(batch(), 2, None)
    assert terms["consistency"] == 0 and "refinement/refused" not in terms
    _, terms = module.training_loss(batch(), 3, None)
    assert terms["consistency"] > 0


def test_damping_starts_as_the_recipe_says_and_learns_faster() -> None:
    module = learning(**LEARNT, damping=0.05)
    torch.testing.assert_close(
        torch.stack([d for d in module.refiner.dampings() if isinstance(d, Tensor)]),
        torch.full((2, 6), 0.05),
    )
    optimizer = build_optimizer(module.recipe.optimizer, module.parameter_groups(), fused=True)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == [1e-4, pytest.approx(1e-2)]


@pytest.mark.parametrize(
    "wrong", [{"strides": [32, 2], "dimensions": [8, 8]}, {"strides": [4, 2], "dimensions": [8]}]
)
def test_levels_that_the_features_lack_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="refinement"):
        small_recipe(losses=SELF_SUPERVISED, refinement={"enabled": True, **wrong})


def test_nothing_to_refine_is_refused() -> None:
    with pytest.raises(UserError, match="refinement"):
        small_recipe(losses=SUPERVISED, refinement={"enabled": True})
