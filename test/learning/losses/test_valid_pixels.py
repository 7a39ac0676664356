"""What a distorted camera did not see teaches nothing: garbage there changes no loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from corridor import CAMERA, render, walk, write_corridor
from recipes import SELF_SUPERVISED, SUPERVISED, small_recipe
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.losses.self_supervision import (
    SelfSupervisedObjective,
    SelfSupervisionSettings,
)
from monodepth_ros.learning.losses.smoothness import edge_weights, planarity, smoothness

HEIGHT, WIDTH, SCALES = 32, 64, 4
PATCHES = {
    "enabled": True, "feat_source": "patches", "learn_damping": False, "detach_depth": False,
    "warmup_steps": 0, "ramp_steps": 0, "network_pose_weight": 0.5, "consistency_weight": 1.0,
    "strides": [4, 2], "points": None,
}  # fmt: skip


def valid_pixels() -> Tensor:
    """A border of uneven width, as rectifying leaves it, and one pixel in the middle."""
    valid = torch.zeros(2, 1, HEIGHT, WIDTH, dtype=torch.bool)
    valid[:, :, 3:-2, 5:-7] = True
    valid[0, :, 16, 30] = False
    return valid


def frames() -> Tensor:
    """``(2, 3, 3, H, W)``: two triplets of the corridor."""
    rows = [[4, 3, 5], [9, 7, 11]]
    images = [[torch.from_numpy(render(walk(k))[0]) for k in row] for row in rows]
    return torch.stack([torch.stack(row) for row in images]).permute(0, 1, 4, 2, 3).float() / 255


def with_garbage(images: Tensor, seed: int) -> Tensor:
    """Any images where nothing is valid."""
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed))
    valid = valid_pixels() if images.dim() == 4 else valid_pixels()[:, None]
    return torch.where(valid, images, noise)


def leaves() -> tuple[list[Tensor], list[Tensor]]:
    """Inverse depths of four scales, of 0.5 to 20 m, and two motions."""
    generator = torch.Generator().manual_seed(1)
    disparities = [
        torch.rand(2, 1, HEIGHT // 2**s, WIDTH // 2**s, generator=generator)
        .mul(1.95)
        .add(0.05)
        .requires_grad_()
        for s in range(SCALES)
    ]
    twists = 0.03 * torch.randn(2, 2, 6, generator=generator)
    return disparities, [se3.exp(twists[:, i]).requires_grad_() for i in range(2)]


def intrinsics() -> Tensor:
    return torch.from_numpy(CAMERA.K).float().expand(2, 3, 3)


SWITCHES: list[dict[str, Any]] = [
    {},
    {"ssim": False},
    {"automask": False, "average_reprojection": True},
    {"average_reprojection": True},
    {"automask": False, "predictive_mask": True},
    {"v1_multiscale": True, "planarity_weight": 0.3, "smoothness_unit": "spread"},
    {"padding": "zeros"},
    {"padding": "reflection", "edge_decay": 10.0},
]


def self_supervised(
    switches: dict[str, Any], images: Tensor, valid: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and its gradients by depths, motions and masks."""
    settings = SelfSupervisionSettings(
        min_depth=0.5, max_depth=20.0, **{"smoothness_weight": 0.1, **switches}
    )
    disparities, motions = leaves()
    given = [*disparities, *motions]
    masks = None
    if settings.predictive_mask:
        masks = [(0.2 + 0.35 * d.detach()).repeat(1, 2, 1, 1).requires_grad_() for d in disparities]
        given += masks
    loss = SelfSupervisedObjective(settings)(
        disparities, *motions, images, intrinsics(), torch.Generator().manual_seed(0), masks, valid
    ).loss
    return loss.detach(), list(torch.autograd.grad(loss, given, materialize_grads=True))


@pytest.mark.parametrize("switches", SWITCHES)
def test_garbage_changes_neither_view_synthesis_nor_smoothness(switches: dict[str, Any]) -> None:
    loss, gradients = self_supervised(switches, with_garbage(frames(), 1), valid_pixels())
    other, other_gradients = self_supervised(switches, with_garbage(frames(), 2), valid_pixels())
    assert torch.equal(loss, other)
    for ours, theirs in zip(gradients, other_gradients, strict=True):
        assert torch.equal(ours, theirs) and ours.isfinite().all()
    unmasked, _ = self_supervised(switches, with_garbage(frames(), 2), None)
    assert not torch.isclose(unmasked, loss, rtol=1e-3)


@pytest.mark.parametrize("switches", SWITCHES)
def test_where_all_is_valid_a_mask_changes_nothing(switches: dict[str, Any]) -> None:
    loss, gradients = self_supervised(switches, frames(), None)
    everywhere = torch.ones_like(valid_pixels())
    masked, masked_gradients = self_supervised(switches, frames(), everywhere)
    torch.testing.assert_close(masked, loss, rtol=1e-6, atol=0)
    for ours, theirs in zip(masked_gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_nothing_valid_is_no_loss() -> None:
    nowhere = torch.zeros_like(valid_pixels())
    loss, gradients = self_supervised({"planarity_weight": 0.2}, frames(), nowhere)
    assert loss == 0 and all((g == 0).all() for g in gradients)


def test_depth_learns_nothing_where_nothing_was_seen() -> None:
    _, gradients = self_supervised({"scales": (0,)}, frames(), valid_pixels())
    assert (gradients[0][~valid_pixels()] == 0).all()
    assert (gradients[0][valid_pixels()] != 0).float().mean() > 0.5


def test_the_mean_is_over_what_counts() -> None:
    """By L1 alone and without motion, the error is that of each valid pixel."""
    settings = SelfSupervisionSettings(
        ssim=False, automask=False, smoothness_weight=0.0, scales=(0,), average_reprojection=True
    )
    disparities, _ = leaves()
    still = torch.eye(4).expand(2, 4, 4)
    images = with_garbage(frames(), 3)
    loss = SelfSupervisedObjective(settings)(
        disparities, still, still, images, intrinsics(), valid=valid_pixels()
    ).loss
    # Samples half a rounding error beside a pixel look at its neighbour too.
    inner = torch.nn.functional.max_pool2d((~valid_pixels()).float(), 3, 1, 1) == 0
    error = (images[:, 1:] - images[:, :1]).abs().mean((1, 2))[:, None]
    assert loss.item() == pytest.approx(error[inner].mean().item(), rel=0.1)


@pytest.mark.parametrize("measure", [smoothness, planarity])
@pytest.mark.parametrize("unit", ["mean", "spread"])
def test_smoothness_of_a_part_is_that_of_the_cut_out_part(measure: Any, unit: Any) -> None:
    generator = torch.Generator().manual_seed(2)
    disparity = torch.rand(1, 1, 12, 20, generator=generator)
    image = torch.rand(1, 3, 12, 20, generator=generator)
    valid = torch.zeros(1, 1, 12, 20, dtype=torch.bool)
    valid[..., 2:9, 3:17] = True
    part = measure(disparity, edge_weights(image, 2.0), unit, valid)
    cut = measure(disparity[..., 2:9, 3:17], edge_weights(image[..., 2:9, 3:17], 2.0), unit)
    torch.testing.assert_close(part, cut)


def step(refinement: dict[str, Any], seed: int, **objective: Any) -> tuple[float, list[Tensor]]:
    """A whole step's objective and gradients, garbage in images and truth; the nets see others."""
    torch.manual_seed(0)
    recipe = small_recipe(
        objective={**SELF_SUPERVISED, **objective},
        refinement=refinement,
        replay={"weight": 0.3},
    )
    module = Learner(recipe).train()
    disparities, _ = leaves()
    truth = torch.rand(2, 1, HEIGHT, WIDTH) + 1
    images = with_garbage(frames(), seed)
    batch = {
        "images": images,
        "jittered": frames(),
        "K": intrinsics(),
        "depth": with_garbage(truth, seed),
        "valid": valid_pixels(),
    }
    module.refiner.settings = recipe.refinement
    loss, _ = module.objective(batch, disparities, torch.Generator().manual_seed(0))
    weights = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [*disparities, *weights], allow_unused=True)
    return loss.item(), [g for g in gradients if g is not None]


@pytest.mark.parametrize(
    ("refinement", "objective"),
    [
        ({}, {"supervised": {"weight": 1.0, "differences": "absolute"}}),
        ({}, {"supervised": {"weight": 1.0, "edge_decay": 5.0}}),
        ({**PATCHES, "automask": False}, {}),
        ({**PATCHES, "automask": True}, {}),
        ({**PATCHES, "detach_depth": True, "hold_scale": True, "gradient_steps": 0}, {}),
    ],
)
def test_garbage_changes_no_objective_of_a_step(
    refinement: dict[str, Any], objective: dict[str, Any]
) -> None:
    loss, gradients = step(refinement, 1, **objective)
    other, other_gradients = step(refinement, 2, **objective)
    assert loss == other
    for ours, theirs in zip(gradients, other_gradients, strict=True):
        assert torch.equal(ours, theirs) and ours.isfinite().all()


def test_a_teacher_is_not_asked_about_what_nobody_saw() -> None:
    class Guess:
        """Says anything where nothing was seen."""

        def __init__(self, seed: int) -> None:
            self.seed = seed

        def depth(self, images: Tensor) -> Tensor:
            return 1 + with_garbage(images[:, :1] * 0, self.seed)

    losses = []
    for seed in (1, 2):
        torch.manual_seed(0)
        recipe = small_recipe(objective=SUPERVISED)
        module = Learner(recipe)
        module.teacher = Guess(seed)  # type: ignore[assignment]
        batch = {
            "images": frames(),
            "jittered": frames(),
            "K": intrinsics(),
            "depth": torch.full((2, 1, HEIGHT, WIDTH), torch.nan),
            "valid": valid_pixels(),
        }
        disparities, _ = leaves()
        loss, _ = module.objective(batch, disparities, None)
        (gradient,) = torch.autograd.grad(loss, disparities[:1])
        losses.append((loss.item(), gradient))
    assert losses[0][0] == losses[1][0] != 0
    assert torch.equal(losses[0][1], losses[1][1])
    assert (gradient[~valid_pixels()] == 0).all()


def test_known_scenes_of_distorted_cameras() -> None:
    losses = []
    for seed in (1, 2):
        torch.manual_seed(0)
        recipe = small_recipe(objective=SELF_SUPERVISED, replay={"weight": 1.0})
        module = Learner(recipe).eval()
        truth = with_garbage(torch.ones(2, 1, HEIGHT, WIDTH), seed)
        batch = {"images": frames(), "jittered": frames(), "K": intrinsics()}
        batch |= {f"replay_{name}": value for name, value in batch.items()}
        batch |= {"replay_depth": truth, "replay_valid": valid_pixels()}
        losses.append(module.training_loss(batch, 0, torch.Generator().manual_seed(0))[0].item())
    assert losses[0] == losses[1]


def test_what_judges_a_tuning_does_not_look_there() -> None:
    objective = SelfSupervisedObjective(SelfSupervisionSettings(min_depth=0.5, max_depth=20.0))
    disparities, motions = leaves()
    errors = [
        objective.error_maps(
            disparities, *motions, with_garbage(frames(), seed), intrinsics(), valid_pixels()
        ).means()
        for seed in (1, 2)
    ]
    assert torch.equal(errors[0], errors[1]) and (errors[0] > 0).all()


def test_a_recording_of_a_distorted_camera_is_learnt(tmp_path: Any) -> None:
    """From files to a step: crops and flips keep mask and images together."""
    from monodepth_ros.learning.batches import build_datasets, collate

    camera = PinholeCamera(WIDTH, HEIGHT, CAMERA.K, "plumb_bob", (0.4, 0.1, 0.0, 0.0, 0.0))
    write_corridor(tmp_path / "distorted", frames=8, camera=camera)
    recipe = small_recipe(
        objective=SELF_SUPERVISED, data={"augmentation": {"crop": 0.7}}, refinement=PATCHES
    )
    module = Learner(recipe).train()
    training, _ = build_datasets(recipe, [tmp_path / "distorted"], [])
    batch = module.augment(collate([training[0], training[1]]), torch.Generator().manual_seed(0))
    share = batch["valid"].float().mean()
    assert 0.5 < share < 1.0
    loss, terms = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss.isfinite() and terms["refinement/photometric"] > 0
