"""A run as one stream of batches: which samples and which random numbers each of them gets.

Both follow from seed and number alone, so a run that resumes at any step, also within an epoch,
sees exactly what the uninterrupted run would have seen, and nothing random needs saving.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.recipe import Recipe

_ORDER, _BATCH, _SETS = 0, 1, 2  # separate streams of random numbers; those of sets go on


@dataclass(frozen=True)
class Plan:
    """How many steps a run takes, and how many of them make an epoch."""

    samples: int
    global_batch: int
    total_steps: int
    log_every: int
    accumulate: int = 1  # batches whose gradients make a step

    def record(self) -> dict[str, int]:
        """What a resumed run must have in common with the former one, to see the same batches."""
        return {"samples": self.samples, "batch": self.global_batch}

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
    global_batch = recipe.share_of_batch * trainer.accumulate * trainer.devices * trainer.num_nodes
    if samples < global_batch:
        raise UserError(
            f"--data holds {samples} training samples, fewer than one batch of {global_batch}:"
            " give more frames or a smaller trainer.batch_size"
        )
    total = recipe.schedule.epochs * (samples // global_batch)
    total = min(total, trainer.max_steps or total)
    # A short run logs too.
    log_every = min(trainer.log_every, total)
    return Plan(samples, global_batch, total, log_every, trainer.accumulate)


class StepSampler(Sampler[list[int]]):
    """The batches of one process from step ``start`` on, shuffled anew each epoch."""

    def __init__(self, plan: Plan, seed: int, rank: int = 0, world: int = 1, start: int = 0):
        self.plan, self.seed, self.rank, self.world, self.start = plan, seed, rank, world, start

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the sample indices of each remaining batch: of each step as many as accumulate."""
        accumulate = self.plan.accumulate
        share = self.plan.global_batch // (self.world * accumulate)
        epoch, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.plan.total_steps):
            this_epoch, batch = divmod(step, self.plan.steps_per_epoch)
            if this_epoch != epoch:
                epoch = this_epoch
                generator = np.random.default_rng([self.seed, _ORDER, epoch])
                order = generator.permutation(self.plan.samples)
            for part in range(accumulate):
                first = batch * self.plan.global_batch + (part * self.world + self.rank) * share
                yield order[first : first + share].tolist()


class MixedSampler(Sampler[list[int]]):
    """The batches of another sampler, with ``counts`` samples of further sets behind each.

    The sets lie behind ``boundary`` samples, and have ``lengths`` samples themselves.
    """

    def __init__(
        self, steps: StepSampler, boundary: int, lengths: Sequence[int], counts: Sequence[int]
    ) -> None:
        self.steps, self.boundary, self.lengths, self.counts = steps, boundary, lengths, counts

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the sample indices of each remaining batch."""
        steps = self.steps
        for number, batch in enumerate(steps, steps.start * steps.plan.accumulate):
            first = self.boundary
            for place, (length, count) in enumerate(zip(self.lengths, self.counts, strict=True)):
                stream = [steps.seed, _SETS + place, number, steps.rank]
                drawn = np.random.default_rng(stream).integers(length, size=count)
                batch = batch + (first + drawn).tolist()
                first += length
            yield batch


def seed_batch(generator: torch.Generator, seed: int, number: int, rank: int) -> torch.Generator:
    """Reset ``generator`` to the random numbers of one batch of the stream in one process."""
    state = np.random.SeedSequence([seed, _BATCH, number, rank]).generate_state(1, np.uint64)
    return generator.manual_seed(int(state[0]) >> 1)
