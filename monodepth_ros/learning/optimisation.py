"""Optimiser and learning-rate schedule of a recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from monodepth_ros.learning.recipe.sections import OptimizerRecipe, ScheduleRecipe
from monodepth_ros.learning.step_stream import Plan


def build_optimizer(
    recipe: OptimizerRecipe, groups: Sequence[dict[str, Any]], fused: bool
) -> torch.optim.Optimizer:
    """Adam or AdamW over groups of parameters, which may have a learning rate of their own."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.kind]
    return kind(
        groups,
        lr=recipe.lr,
        betas=recipe.betas,
        eps=recipe.eps,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )


def set_learning_rate(optimizer: Any, factor: float) -> float:
    """Multiply the rates that the groups began with; the first group's is returned."""
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    return float(optimizer.param_groups[0]["lr"])


def learning_rate_factor(
    recipe: ScheduleRecipe, plan: Plan, time_spent: Callable[[], float]
) -> Callable[[int], float]:
    """The factor on the learning rate at each step.

    ``time_spent`` gives the part of the time budget that is gone, 0 without a budget. It moves the
    schedules that have an end, so that a run cut by the clock still ends at a low rate.
    """

    def factor(step: int) -> float:
        warmup = min(1.0, (step + 1) / (recipe.warmup_steps + 1))
        if recipe.kind == "step":
            return warmup * recipe.gamma ** (step // plan.steps_per_epoch // recipe.step_epochs)
        progress = min(1.0, max(step / plan.total_steps, time_spent()))
        if recipe.kind == "cosine":
            return warmup * _cosine(1.0, recipe.final, progress)
        if progress < recipe.rise:
            return warmup * _cosine(1.0 / 25.0, 1.0, progress / recipe.rise)
        return warmup * _cosine(1.0, recipe.final, (progress - recipe.rise) / (1.0 - recipe.rise))

    return factor


def _cosine(start: float, end: float, progress: float) -> float:
    """Half a cosine wave from ``start`` to ``end``."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * progress))
