"""What a distorted camera did not see teaches nothing: garbage there changes no loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from corridor import CAMERA, render, walk, write_corridor
from recipes import SELF_SUPERVISED, small_recipe
from steps import inverse_depth, loss_of, step_of
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.learning.learner import Learner, Predictions
from monodepth_ros.learning.losses.arithmetic.edges import edge_weights
from monodepth_ros.learning.losses.smoothness import Planarity, Smoothness
from monodepth_ros.learning.recipe.recipe import Recipe

HEIGHT, WIDTH, SCALES = 32, 64, 4
PATCHES = {
    "enabled": True, "feat_source": "patches", "learn_damping": False, "detach_depth": False,
    "warmup_steps": 0, "ramp_steps": 0, "network_pose_weight": 0.5,
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


def leaves() -> tuple[list[Tensor], Tensor]:
    """Inverse depths of four scales and two motions."""
    generator = torch.Generator().manual_seed(1)
    disparities = [
        torch.rand(2, 1, HEIGHT // 2**s, WIDTH // 2**s, generator=generator) for s in range(SCALES)
    ]
    twists = 0.03 * torch.randn(2, 2, 6, generator=generator)
    inverse_depths = [inverse_depth(d, 0.5, 20.0).requires_grad_() for d in disparities]
    return inverse_depths, se3.exp(twists).requires_grad_()


def intrinsics() -> Tensor:
    return torch.from_numpy(CAMERA.K).float().expand(2, 3, 3)


# Of the photometric loss, and beside it of both orders of smoothness.
SWITCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"ssim": False}, {}),
    ({"automask": False, "average_reprojection": True}, {}),
    ({"average_reprojection": True}, {}),
    ({"automask": False, "predictive_mask": True}, {}),
    ({"v1_multiscale": True}, {"unit": "spread"}),
    ({"padding": "zeros"}, {}),
    ({"padding": "reflection"}, {"edge_decay": 10.0}),
]


def self_supervised(
    switches: tuple[dict[str, Any], dict[str, Any]], images: Tensor, valid: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """The loss, and its gradients by depths, motions and masks."""
    photometric, edges = switches
    losses = [
        loss_of("photometric", **photometric),
        loss_of("smoothness", weight=0.1, **edges),
        loss_of("planarity", weight=0.3, **edges),
    ]
    inverse_depths, T = leaves()
    given = [*inverse_depths, T]
    masks = None
    if photometric.get("predictive_mask"):
        masks = [(0.2 + 0.3 * d.detach()).repeat(1, 2, 1, 1).requires_grad_() for d in given[:-1]]
        given += masks
    batch = {"images": images, "K": intrinsics()} | ({} if valid is None else {"valid": valid})
    step = step_of(batch, inverse_depths, T, masks, torch.Generator().manual_seed(0), (0.5, 20.0))
    loss = torch.stack([loss.weight * loss(step).loss for loss in losses]).sum()
    return loss.detach(), list(torch.autograd.grad(loss, given, materialize_grads=True))


@pytest.mark.parametrize("switches", SWITCHES)
def test_garbage_changes_neither_view_synthesis_nor_smoothness(
    switches: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    loss, gradients = self_supervised(switches, with_garbage(frames(), 1), valid_pixels())
    other, other_gradients = self_supervised(switches, with_garbage(frames(), 2), valid_pixels())
    assert torch.equal(loss, other)
    for ours, theirs in zip(gradients, other_gradients, strict=True):
        assert torch.equal(ours, theirs) and ours.isfinite().all()
    unmasked, _ = self_supervised(switches, with_garbage(frames(), 2), None)
    assert not torch.isclose(unmasked, loss, rtol=1e-3)


@pytest.mark.parametrize("switches", SWITCHES)
def test_where_all_is_valid_a_mask_changes_nothing(
    switches: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    loss, gradients = self_supervised(switches, frames(), None)
    everywhere = torch.ones_like(valid_pixels())
    masked, masked_gradients = self_supervised(switches, frames(), everywhere)
    torch.testing.assert_close(masked, loss, rtol=1e-6, atol=0)
    for ours, theirs in zip(masked_gradients, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_nothing_valid_is_no_loss() -> None:
    nowhere = torch.zeros_like(valid_pixels())
    loss, gradients = self_supervised(({}, {}), frames(), nowhere)
    assert loss == 0 and all((g == 0).all() for g in gradients)


def test_depth_learns_nothing_where_nothing_was_seen() -> None:
    scales: dict[str, Any] = {"scales": (0,)}
    _, gradients = self_supervised((scales, scales), frames(), valid_pixels())
    assert (gradients[0][~valid_pixels()] == 0).all()
    assert (gradients[0][valid_pixels()] != 0).float().mean() > 0.5


def test_the_mean_is_over_what_counts() -> None:
    """By L1 alone and without motion, the error is that of each valid pixel."""
    photometric = loss_of(
        "photometric", ssim=False, automask=False, scales=(0,), average_reprojection=True
    )
    inverse_depths, _ = leaves()
    images = with_garbage(frames(), 3)
    batch = {"images": images, "K": intrinsics(), "valid": valid_pixels()}
    loss = photometric(step_of(batch, inverse_depths, torch.eye(4).expand(2, 2, 4, 4))).loss
    # Samples half a rounding error beside a pixel look at its neighbour too.
    inner = torch.nn.functional.max_pool2d((~valid_pixels()).float(), 3, 1, 1) == 0
    error = (images[:, 1:] - images[:, :1]).abs().mean((1, 2))[:, None]
    assert loss.item() == pytest.approx(error[inner].mean().item(), rel=0.1)


@pytest.mark.parametrize("order", [Smoothness, Planarity])
@pytest.mark.parametrize("unit", ["mean", "spread"])
def test_smoothness_of_a_part_is_that_of_the_cut_out_part(order: Any, unit: Any) -> None:
    generator = torch.Generator().manual_seed(2)
    disparity = torch.rand(1, 1, 12, 20, generator=generator)
    image = torch.rand(1, 3, 12, 20, generator=generator)
    valid = torch.zeros(1, 1, 12, 20, dtype=torch.bool)
    valid[..., 2:9, 3:17] = True
    measure = order(unit=unit).measure
    part = measure(disparity, edge_weights(image, 2.0), valid)
    cut = measure(disparity[..., 2:9, 3:17], edge_weights(image[..., 2:9, 3:17], 2.0))
    torch.testing.assert_close(part, cut)


def learnt(
    recipe: Recipe, batch: dict[str, Tensor], generator: torch.Generator | None = None
) -> tuple[float, list[Tensor], list[Tensor]]:
    """A step's loss, and its gradients by given depths and by weights; the nets see no garbage."""
    torch.manual_seed(0)
    learner = Learner(recipe).train()
    inverse_depths, _ = leaves()
    learner.predictions = lambda _: Predictions(inverse_depths)  # type: ignore[method-assign]
    loss, _ = learner.training_loss({**batch, "jittered": frames()}, 0, generator)
    weights = [p for p in learner.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, [*inverse_depths, *weights], allow_unused=True)
    by_depth = [g for g in gradients[:SCALES] if g is not None]
    return loss.item(), by_depth, [g for g in gradients[SCALES:] if g is not None]


@pytest.mark.parametrize(
    ("refinement", "losses"),
    [
        ({}, {"supervised": {"silog": None, "absolute": {}, "gradient": {"norm": "absolute"}}}),
        ({}, {"supervised": {"gradient": {"edge_decay": 5.0}}}),
        ({**PATCHES, "automask": False}, {"consistency": {}}),
        ({**PATCHES, "automask": True}, {"consistency": {}}),
        (
            {**PATCHES, "detach_depth": True, "hold_scale": True, "gradient_steps": 0},
            {"consistency": {}},
        ),
    ],
)
def test_garbage_changes_no_loss_of_a_step(
    refinement: dict[str, Any], losses: dict[str, Any]
) -> None:
    """In images and truth."""
    recipe = small_recipe(losses={**SELF_SUPERVISED, **losses}, refinement=refinement)
    found = []
    for seed in (1, 2):
        torch.manual_seed(3)
        truth = torch.rand(2, 1, HEIGHT, WIDTH) + 1
        batch = {
            "images": with_garbage(frames(), seed),
            "K": intrinsics(),
            "depth": with_garbage(truth, seed),
            "valid": valid_pixels(),
        }
        found.append(learnt(recipe, batch, torch.Generator().manual_seed(0)))
    (loss, *gradients), (other, *other_gradients) = found
    assert loss == other
    for ours, theirs in zip(sum(gradients, []), sum(other_gradients, []), strict=True):
        assert torch.equal(ours, theirs) and ours.isfinite().all()


def test_a_teacher_is_not_asked_about_what_nobody_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    class Guess:
        """Says anything where nothing was seen."""

        def __init__(self, *_: Any) -> None: ...

        def depth(self, images: Tensor) -> Tensor:
            return 1 + with_garbage(images[:, :1] * 0, seed)

    monkeypatch.setattr("monodepth_ros.learning.learner.Teacher", Guess)
    recipe = small_recipe(losses={"teacher": {}}, networks={"teacher": "any"})
    batch = {"images": frames(), "K": intrinsics(), "valid": valid_pixels()}
    found = []
    for seed in (1, 2):  # noqa: B007 - Guess reads it
        found.append(learnt(recipe, batch))
    (loss, (gradient, *_), _), (other, (other_gradient, *_), _) = found
    assert loss == other != 0
    assert torch.equal(gradient, other_gradient)
    assert (gradient[~valid_pixels()] == 0).all()


def test_known_scenes_of_distorted_cameras() -> None:
    losses = []
    for seed in (1, 2):
        torch.manual_seed(0)
        learner = Learner(small_recipe(losses={**SELF_SUPERVISED, "rehearsal": {}})).eval()
        truth = with_garbage(torch.ones(2, 1, HEIGHT, WIDTH), seed)
        batch = {"images": frames(), "jittered": frames(), "K": intrinsics()}
        batch |= {f"rehearsal/{name}": value for name, value in batch.items()}
        batch |= {"rehearsal/depth": truth, "rehearsal/valid": valid_pixels()}
        loss, terms = learner.training_loss(batch, 0, torch.Generator().manual_seed(0))
        losses.append(loss.item())
        assert terms["rehearsal"] > 0
    assert losses[0] == losses[1]


def test_what_judges_a_tuning_does_not_look_there() -> None:
    inverse_depths, T = leaves()
    errors = []
    for seed in (1, 2):
        batch = {"images": with_garbage(frames(), seed), "K": intrinsics(), "valid": valid_pixels()}
        step = step_of(batch, inverse_depths)
        errors.append(loss_of("photometric").error_maps(step, T).means())
    assert torch.equal(errors[0], errors[1]) and (errors[0] > 0).all()


def test_a_recording_of_a_distorted_camera_is_learnt(tmp_path: Any) -> None:
    """From files to a step: crops and flips keep mask and images together."""
    from monodepth_ros.learning.batches import build_datasets, collate

    camera = PinholeCamera(WIDTH, HEIGHT, CAMERA.K, "plumb_bob", (0.4, 0.1, 0.0, 0.0, 0.0))
    write_corridor(tmp_path / "distorted", frames=8, camera=camera)
    recipe = small_recipe(
        losses=SELF_SUPERVISED, data={"augmentation": {"crop": 0.7}}, refinement=PATCHES
    )
    module = Learner(recipe).train()
    training, _ = build_datasets(recipe, [tmp_path / "distorted"], [])
    batch = module.augment(collate([training[0], training[1]]), torch.Generator().manual_seed(0))
    share = batch["valid"].float().mean()
    assert 0.5 < share < 1.0
    loss, terms = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
    loss.backward()
    assert loss.isfinite() and terms["photometric/refined"] > 0
