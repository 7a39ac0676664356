from typing import Any

import pytest
import torch
from learning_module import build, gradients, random_batch
from recipes import BOTH, POSE_SUPERVISED, SELF_SUPERVISED, SUPERVISED, small_recipe
from torch import Tensor, nn

from monodepth_ros.errors import UserError
from monodepth_ros.geometry import se3
from monodepth_ros.learning.learner import Learner, Predictions
from monodepth_ros.learning.losses.loss import Terms
from monodepth_ros.learning.optimisation import build_optimizer
from monodepth_ros.learning.step import Step


def teach_by_view_synthesis(module: Learner) -> None:
    """And by smoothness of the same depths."""
    step = Step(module, random_batch())
    losses = [module.losses["photometric"], module.losses["smoothness"]]
    torch.stack([loss(step).loss for loss in losses]).sum().backward()


class TellTale(nn.Module):
    """A pose network that tells by its motion which pair it was shown."""

    def __init__(self, motions: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        super().__init__()
        self.motions = motions

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        for known_first, known_second, motion in self.motions:
            if torch.equal(first, known_first) and torch.equal(second, known_second):
                return 0.1 * motion.expand(2, 3), motion.expand(2, 3)
        raise AssertionError("a pair out of temporal order")


def test_pairs_go_in_temporal_order_and_the_first_motion_is_inverted() -> None:
    module = build()
    images = random_batch()["images"]
    target, previous, following = images.unbind(1)
    earlier, later = torch.tensor([0.1, 0.0, 0.2]), torch.tensor([0.0, 0.3, 0.1])
    module.pose_net = TellTale([(previous, target, earlier), (target, following, later)])
    T_previous_target, T_next_target = module.relative_poses(images)
    # Shown (previous, target), the network says T_target_previous.
    T_target_previous = se3.from_axis_angle_translation(0.1 * earlier, earlier).expand(2, 4, 4)
    torch.testing.assert_close(T_previous_target @ T_target_previous, torch.eye(4).expand(2, 4, 4))
    expected = se3.from_axis_angle_translation(0.1 * later, later).expand(2, 4, 4)
    torch.testing.assert_close(T_next_target, expected)


def test_joint_pose_batch_changes_batch_statistics_alone() -> None:
    apart, joint = build(), build(networks={"joint_pose_batch": True})
    joint.load_state_dict(apart.state_dict())
    images = random_batch()["images"]
    apart.eval(), joint.eval()
    for a, b in zip(apart.relative_poses(images), joint.relative_poses(images), strict=True):
        torch.testing.assert_close(a, b)
    apart.train(), joint.train()
    apart.relative_poses(images), joint.relative_poses(images)
    name = "bn.num_batches_tracked"
    assert apart.pose_net.state_dict()[name] == 2 and joint.pose_net.state_dict()[name] == 1


def test_networks_see_jittered_images_and_losses_clean_ones() -> None:
    module = build()
    batch = random_batch()
    batch["jittered"] = torch.rand_like(batch["images"])
    seen: list[Tensor] = []
    module.pose_net.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    photometric = module.losses["photometric"]

    def watched(step: Step) -> Terms:
        assert step.images is batch["images"] and step.seen is batch["jittered"]
        return photometric(step)

    module.losses["photometric"] = watched  # type: ignore[assignment]
    watched.weight = photometric.weight  # type: ignore[attr-defined]
    module.depth_net.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    module.training_loss(batch, 0, None)
    target, previous, following = batch["jittered"].unbind(1)
    for image, expected in zip(seen, (target, previous, target, target, following), strict=True):
        assert torch.equal(image, expected)


def test_supervision_alone_needs_one_frame_and_no_pose_network() -> None:
    module = build(losses=SUPERVISED)
    assert not any(p.requires_grad for p in module.pose_net.parameters())
    module.pose_net.register_forward_pre_hook(lambda *_: pytest.fail("the pose network ran"))
    loss, terms = module.training_loss(random_batch(frames=1), 0, None)
    loss.backward()
    assert gradients(module.depth_net) and not gradients(module.pose_net)
    assert all(name.split("/")[0] == "supervised" for name in terms)


def test_view_synthesis_alone_needs_no_truth() -> None:
    module = build(losses=SELF_SUPERVISED)
    batch = random_batch()
    del batch["depth"]
    loss, terms = module.training_loss(batch, 0, None)
    loss.backward()
    assert gradients(module.depth_net) and gradients(module.pose_net)
    assert {name.split("/")[0] for name in terms} == {"photometric", "smoothness"}


def test_view_synthesis_can_leave_the_depth_network_alone() -> None:
    module = build(losses=BOTH, view_synthesis={"train_depth": False})
    teach_by_view_synthesis(module)
    assert gradients(module.pose_net) and not gradients(module.depth_net)


def test_only_rotation_is_learnt_at_first() -> None:
    module = build(view_synthesis={"rotation_first_steps": 1}, networks={"max_depth": 1e6})
    teach_by_view_synthesis(module)
    rotation, translation = module.pose_net.decoder.pose.bias.grad[:6].chunk(2)
    assert not gradients(module.depth_net)
    assert rotation.abs().min() > 1000 * translation.abs().max()
    module = build(view_synthesis={"rotation_first_steps": 0})
    teach_by_view_synthesis(module)
    assert gradients(module.depth_net)


def test_the_pose_network_may_learn_alone_at_first() -> None:
    module = build(view_synthesis={"pose_first_steps": 1})
    teach_by_view_synthesis(module)
    assert gradients(module.pose_net) and not gradients(module.depth_net)


def test_a_frozen_depth_network_stays_as_it_is() -> None:
    module = build(networks={"freeze_depth": True}, losses=POSE_SUPERVISED)
    before = {name: value.clone() for name, value in module.depth_net.state_dict().items()}
    optimizer = build_optimizer(module.recipe.optimizer, module.parameter_groups(), fused=True)
    module.train()
    for _ in range(2):
        loss, terms = module.training_loss(random_batch(), 0, None)
        loss.backward()
        optimizer.step()
    module.predictions(random_batch()["images"][:, 0])  # as a picture or a validation would
    assert gradients(module.pose_net) and list(terms) == ["pose"]
    for name, value in module.depth_net.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_batch_statistics_can_be_kept_while_weights_learn() -> None:
    for freeze in (False, True):
        recipe = small_recipe(networks={"freeze_statistics": freeze})
        torch.manual_seed(0)
        module = Learner(recipe).train()
        before = {k: v.clone() for k, v in module.state_dict().items() if "running" in k}
        module.predictions(torch.rand(2, 3, 32, 64))
        kept = all(torch.equal(module.state_dict()[k], v) for k, v in before.items())
        assert kept == freeze
        assert all(p.requires_grad for p in module.depth_net.parameters())


def test_a_recipe_that_teaches_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="nothing teaches it"):
        build(networks={"freeze_depth": True}, losses=SUPERVISED)
    with pytest.raises(UserError, match="nothing teaches the depth network"):
        build(view_synthesis={"train_depth": False})
    with pytest.raises(UserError, match="losses.supervised teaches the depth network, which"):
        build(networks={"freeze_depth": True}, losses=BOTH)


def test_losses_are_summed_by_weight() -> None:
    """The logged terms sum to the loss, and each is linear in its weight."""
    found = []
    for photometric, supervised in ((0.5, 3.0), (1.0, 1.0)):
        torch.manual_seed(0)
        losses = {"photometric": {"weight": photometric}, "supervised": {"weight": supervised}}
        module = build(losses={**BOTH, **losses}).eval()
        with torch.no_grad():
            loss, terms = module.training_loss(random_batch(), 0, torch.Generator().manual_seed(1))
        parts = {name: float(value) for name, value in terms.items() if "/" not in name}
        assert float(loss) == pytest.approx(sum(parts.values()), rel=1e-5)
        found.append(parts)
    assert found[0]["photometric"] == pytest.approx(0.5 * found[1]["photometric"], rel=1e-6)
    assert found[0]["supervised"] == pytest.approx(3.0 * found[1]["supervised"], rel=1e-6)
    assert found[0]["smoothness"] == pytest.approx(found[1]["smoothness"], rel=1e-6)


@pytest.mark.parametrize("losses", [BOTH, {**BOTH, "pose": {}}])
def test_losses_are_computed_in_full_precision(losses: dict[str, Any]) -> None:
    """Of what networks say in half precision."""
    module, batch = build(losses=losses).eval(), random_batch()
    with torch.autocast("cpu", torch.bfloat16):
        halves = module.predictions(batch["images"][:, 0]).inverse_depths
        T = module.relative_poses(batch["images"])
    leaves = [d.detach().bfloat16().requires_grad_() for d in halves]
    was_half: list[bool] = []

    def predictions(_: Tensor) -> Predictions:
        was_half.append(torch.is_autocast_enabled("cpu"))
        return Predictions([d.float() for d in leaves])

    module.predictions = predictions  # type: ignore[method-assign]
    module.relative_poses = lambda _: T  # type: ignore[method-assign]
    plain, _ = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _ = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
    assert mixed.dtype == torch.float32 and mixed.item() == plain.item()
    assert was_half == [False, True]
    mixed.backward()
    assert all(d.grad is not None and d.grad.isfinite().all() for d in leaves)


def test_channels_last_changes_no_value() -> None:
    usual = build(trainer={"channels_last": False})
    faster = build(trainer={"channels_last": True})
    faster.load_state_dict(usual.state_dict())
    usual.eval(), faster.eval()
    image = random_batch()["images"][:, 0]
    for a, b in zip(usual.predictions(image)[0], faster.predictions(image)[0], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_validation_leaves_images_without_truth_out() -> None:
    module = build(losses=SUPERVISED)
    batch = random_batch(count=3)
    batch["depth"][1] = torch.nan
    module.eval()
    with torch.no_grad():
        metrics = module.validation_metrics(batch)
        kept = {name: value[[0, 2]] for name, value in batch.items()}
        without = module.validation_metrics(kept)
    assert metrics.keys() == without.keys()
    for name, values in metrics.items():
        assert values[1].isnan() and values.shape == (3,)
        torch.testing.assert_close(values[[0, 2]], without[name])
    assert 0 < without["abs_rel"].mean() < 10
