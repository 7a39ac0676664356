"""Steps whose depths and motions are given instead of learnt."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import torch
from torch import Tensor

from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.losses.loss import Loss
from monodepth_ros.learning.losses.registry import LOSSES
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.step import Step


def step_of(
    batch: dict[str, Tensor],
    inverse_depths: Sequence[Tensor],
    T: Tensor | None = None,
    masks: Sequence[Tensor] | None = None,
    generator: torch.Generator | None = None,
    depth_range: tuple[float, float] = (0.1, 100.0),
    compiled: bool = False,
) -> Step:
    """Of a prepared batch, by Monodepth2's recipe: motions ``T`` ``(B, 2, 4, 4)``."""
    recipe = Recipe.model_validate({"trainer": {"compile_objective": compiled}})
    network = SimpleNamespace(min_depth=depth_range[0], max_depth=depth_range[1])
    learner = SimpleNamespace(depth_net=network, recipe=recipe, training=True, teacher=None)
    learner.teacher_ambiguity = None
    step = Step(cast(Learner, learner), batch, generator=generator)
    step._predictions = list(inverse_depths), None if masks is None else list(masks)
    if T is not None:
        step.T = T
    return step


def loss_of(name: str, **settings: Any) -> Loss:
    """By these settings, the default ones apart."""
    return LOSSES[name](**settings)


def inverse_depth(sigmoid: Tensor, near: float = 0.1, far: float = 100.0) -> Tensor:
    """As Monodepth2 maps it."""
    return 1 / far + (1 / near - 1 / far) * sigmoid
