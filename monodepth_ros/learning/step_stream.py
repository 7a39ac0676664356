"""A run as one stream of steps: which samples and which random numbers each step gets.

Both follow from (seed, step) alone, so a run that resumes at any step, also within an epoch, sees
exactly what the uninterrupted run would have seen, and nothing random needs saving.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.recipe import Recipe

_ORDER, _STEP, _REPLAY = 0, 1, 2  # separate streams of random numbers


@dataclass(frozen=True)
class Plan:
    """How many steps a run takes, and how many of them make an epoch."""

    samples: int
    global_batch: int
    total_steps: int
    log_every: int

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass over the samples; the rest is dropped."""
        return self.samples // self.global_batch

    def epoch(self, step: int) -> float:
        """Passes over the data after ``step`` steps."""
        return step / self.steps_per_epoch

    def is_logged(self, step: int) -> bool:
        """Whether figures are kept after ``step`` steps."""
        return step % self.log_every == 0


def plan_run(recipe: Recipe, samples: int) -> Plan:
    """The plan of a recipe over ``samples`` triplets; UserError when they do not fill one batch."""
    trainer = recipe.trainer
    global_batch = trainer.batch_size * trainer.devices * trainer.num_nodes
    if samples < global_batch:
        raise UserError(
            f"--data holds {samples} training samples, fewer than one batch of {global_batch}:"
            " give more frames or a smaller trainer.batch_size"
        )
    total = recipe.schedule.epochs * (samples // global_batch)
    total = min(total, trainer.max_steps or total)
    # A short run logs too.
    return Plan(samples, global_batch, total, log_every=min(trainer.log_every, total))


class StepSampler(Sampler[list[int]]):
    """The batches of one process from step ``start`` on, shuffled anew each epoch."""

    def __init__(self, plan: Plan, seed: int, rank: int = 0, world: int = 1, start: int = 0):
        self.plan, self.seed, self.rank, self.world, self.start = plan, seed, rank, world, start

    def __len__(self) -> int:
        """Steps of the whole run, whatever ``start`` is: the trainer counts those done itself."""
        return self.plan.total_steps

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the sample indices of each remaining step."""
        share = self.plan.global_batch // self.world
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.plan.total_steps):
            this_epoch, batch = divmod(step, self.plan.steps_per_epoch)
            if this_epoch != epoch:
                epoch = this_epoch
                generator = np.random.default_rng([self.seed, _ORDER, epoch])
                order = generator.permutation(self.plan.samples)
            first = batch * self.plan.global_batch + self.rank * share
            yield order[first : first + share].tolist()


class ReplaySampler(Sampler[list[int]]):
    """The batches of another sampler with ``count`` of ``frames`` replayed ones behind each."""

    def __init__(self, steps: StepSampler, boundary: int, frames: int, count: int) -> None:
        self.steps, self.boundary, self.frames, self.count = steps, boundary, frames, count

    def __len__(self) -> int:
        """Steps of the whole run."""
        return len(self.steps)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the sample indices of each remaining step; replayed ones from ``boundary`` on."""
        for step, batch in enumerate(self.steps, self.steps.start):
            generator = np.random.default_rng([self.steps.seed, _REPLAY, step, self.steps.rank])
            drawn = self.boundary + generator.integers(self.frames, size=self.count)
            yield batch + drawn.tolist()


def seed_step(generator: torch.Generator, seed: int, step: int, rank: int) -> torch.Generator:
    """Reset ``generator`` to the random numbers of one step of one process."""
    state = np.random.SeedSequence([seed, _STEP, step, rank]).generate_state(1, np.uint64)
    return generator.manual_seed(int(state[0]) >> 1)
