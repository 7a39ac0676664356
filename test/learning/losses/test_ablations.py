"""The switches of Monodepth2's ablations that change the networks."""

from pathlib import Path

import pytest
import torch
from learning_module import build, gradients, random_batch
from recipes import small_recipe

from monodepth_ros.errors import UserError
from monodepth_ros.learning.initial_weights import load_initial_weights
from monodepth_ros.learning.learner import Predictions
from monodepth_ros.zoo.card import ModelCard, Provenance
from monodepth_ros.zoo.weights import save_model


@pytest.mark.parametrize("pose", ["shared", "posecnn"])
def test_other_pose_networks_learn(pose: str) -> None:
    module = build(networks={"pose": pose})
    batch = random_batch()
    loss, _ = module.training_loss(batch, 0, None)
    loss.backward()
    assert torch.isfinite(loss) and gradients(module.pose_net)
    names = {name for name in module.state_dict() if name.startswith("pose_net.")}
    assert names and not any("encoder" in name for name in names)


def test_predictive_masks_learn_and_weigh_the_error() -> None:
    module = build(losses={"photometric": {"automask": False, "predictive_mask": True}})
    batch = random_batch()
    inverse_depths, masks, *_ = module.predictions(batch["jittered"][:, 0])
    assert masks is not None and [m.shape[1] for m in masks] == [2, 2, 2, 2]
    said = Predictions(inverse_depths, masks)
    module.predictions = lambda _: said  # type: ignore[method-assign]
    loss, terms = module.training_loss(batch, 0, None)
    loss.backward()
    assert module.mask_net is not None and gradients(module.mask_net)
    assert terms["photometric/predictive_mask"] > 0
    said = Predictions(inverse_depths, [torch.ones_like(m) for m in masks])
    _, unmasked = module.training_loss(batch, 0, None)
    assert terms["photometric/network"] < unmasked["photometric/network"]


def test_no_mask_network_without_the_switch() -> None:
    module = build()
    assert module.mask_net is None
    assert not any(name.startswith("mask_net") for name in module.state_dict())


def test_pose_weights_need_the_pose_network_that_models_have() -> None:
    with pytest.raises(UserError, match="pose must be so"):
        small_recipe(networks={"pose": "posecnn", "init": {"pose": "demo"}})


def test_weights_of_another_depth_range_are_refused(tmp_path: Path) -> None:
    module = build()
    card = ModelCard(
        name="indoor",
        licence="CC0-1.0",
        provenance=Provenance(data="none", recipe="none", command="none", results={}),
        architecture=module.recipe.networks.architecture,
        size=(32, 64),
        min_depth=0.1,
        max_depth=10.0,
        scale="relative",
    )
    save_model(tmp_path / "indoor", card, {"depth": module.depth_net.state_dict()}, torch.float32)
    model = str(tmp_path / "indoor")
    recipe = small_recipe(networks={"init": {"depth": model}}).networks
    with pytest.raises(UserError, match="0.1 to 10, but networks.min_depth and max_depth"):
        load_initial_weights(module, recipe)
