import itertools
from dataclasses import replace

import pytest
import torch
from recipes import small_recipe

from monodepth_ros.errors import UserError
from monodepth_ros.learning.step_stream import Plan, StepSampler, plan_run, seed_batch

PLAN = Plan(samples=11, global_batch=4, total_steps=7, log_every=1)


def test_an_epoch_shows_whole_batches_of_different_samples() -> None:
    batches = list(StepSampler(PLAN, seed=3))
    assert len(batches) == 7 and all(len(batch) == 4 for batch in batches)
    for epoch in range(3):
        seen = list(itertools.chain(*batches[2 * epoch : 2 * epoch + 2]))
        assert len(set(seen)) == 8 and set(seen) <= set(range(11))
    assert batches[:2] != batches[2:4] != batches[4:6]


def test_the_stream_goes_on_where_it_stopped() -> None:
    whole = list(StepSampler(PLAN, seed=3))
    for start in range(8):
        assert list(StepSampler(PLAN, seed=3, start=start)) == whole[start:]


def test_processes_share_each_batch() -> None:
    whole = list(StepSampler(PLAN, seed=3))
    shares = [list(StepSampler(PLAN, seed=3, rank=rank, world=2)) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == whole


def test_accumulated_batches_share_each_step() -> None:
    """Each process has a share of each of them, and a run resumes at a whole step."""
    whole = list(StepSampler(PLAN, seed=3))
    halves = replace(PLAN, accumulate=2)
    parts = list(StepSampler(halves, seed=3))
    assert [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)] == whole
    assert list(StepSampler(halves, seed=3, start=5)) == parts[10:]
    shares = [list(StepSampler(halves, seed=3, rank=rank, world=2)) for rank in range(2)]
    assert [a + b for a, b in zip(*shares, strict=True)] == parts


def test_seeds_change_the_order() -> None:
    assert list(StepSampler(PLAN, seed=3)) != list(StepSampler(PLAN, seed=4))


def test_a_step_has_its_own_random_numbers() -> None:
    generator = torch.Generator()

    def draw(seed: int, step: int, rank: int) -> float:
        return torch.rand((), generator=seed_batch(generator, seed, step, rank)).item()

    assert draw(1, 2, 0) == draw(1, 2, 0)
    assert len({draw(*key) for key in [(1, 2, 0), (1, 3, 0), (2, 2, 0), (1, 2, 1)]}) == 4


def test_plan_counts_steps_of_all_epochs() -> None:
    recipe = small_recipe(
        trainer={"batch_size": 3, "devices": 2, "max_steps": None}, schedule={"epochs": 5}
    )
    plan = plan_run(recipe, samples=20)
    assert (plan.steps_per_epoch, plan.total_steps) == (3, 15)
    assert plan.epoch(6) == 2.0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(UserError, match="5 training samples.*batch of 6"):
        plan_run(small_recipe(trainer={"batch_size": 6}), samples=5)
