import math

import pytest
import torch

from monodepth_ros.learning.optimisation import (
    build_optimizer,
    learning_rate_factor,
    set_learning_rate,
)
from monodepth_ros.learning.recipe.sections import OptimizerRecipe, ScheduleRecipe
from monodepth_ros.learning.step_stream import Plan

PLAN = Plan(samples=100, global_batch=10, total_steps=200, log_every=1)


def test_published_steps() -> None:
    factor = learning_rate_factor(ScheduleRecipe(), PLAN, lambda: 0.0)
    epochs = [factor(10 * epoch) for epoch in range(20)]
    assert epochs[:15] == [1.0] * 15
    assert epochs[15:] == [pytest.approx(0.1)] * 5
    assert factor(149) == 1.0 and factor(150) == pytest.approx(0.1)


def test_cosine_ends_at_final() -> None:
    factor = learning_rate_factor(ScheduleRecipe(kind="cosine", final=0.02), PLAN, lambda: 0.0)
    assert factor(0) == 1.0
    assert factor(100) == pytest.approx(0.51)
    assert factor(200) == pytest.approx(0.02)


def test_one_cycle_rises_and_falls() -> None:
    recipe = ScheduleRecipe(kind="one_cycle", rise=0.25, final=0.0)
    factor = learning_rate_factor(recipe, PLAN, lambda: 0.0)
    assert factor(0) == pytest.approx(0.04)
    assert factor(50) == pytest.approx(1.0)
    assert factor(125) == pytest.approx(0.5)
    assert factor(200) == pytest.approx(0.0)


def test_warmup() -> None:
    factor = learning_rate_factor(ScheduleRecipe(warmup_steps=3), PLAN, lambda: 0.0)
    assert [factor(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_the_clock_moves_a_schedule_that_has_an_end() -> None:
    spent = 0.8
    factor = learning_rate_factor(ScheduleRecipe(kind="cosine", final=0.0), PLAN, lambda: spent)
    assert factor(10) == pytest.approx(0.5 * (1 + math.cos(0.8 * math.pi)))
    published = learning_rate_factor(ScheduleRecipe(), PLAN, lambda: spent)
    assert published(10) == 1.0


def test_rates_follow_the_factor_from_where_each_group_began() -> None:
    """Also in a run that resumes, whose optimiser has the rates of its last step."""
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": weights[:1]}, {"params": weights[1:], "lr": 0.5}]
    optimizer = build_optimizer(OptimizerRecipe(lr=0.1), groups, fused=True)
    for factor in (0.5, 0.25):
        assert set_learning_rate(optimizer, factor) == pytest.approx(0.1 * factor)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([0.1 * factor, 0.5 * factor])
    resumed = build_optimizer(OptimizerRecipe(lr=0.1), groups, fused=True)
    resumed.load_state_dict(optimizer.state_dict())
    assert set_learning_rate(resumed, 1.0) == pytest.approx(0.1)
