"""The training loop; devices, processes and precision are Fabric's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from monodepth_ros.learning.optimisation import learning_rate_factor, set_learning_rate
from monodepth_ros.learning.run.nan_guard import NanGuard
from monodepth_ros.learning.run.state import Run, State
from monodepth_ros.learning.step import Batch
from monodepth_ros.learning.step_stream import seed_batch


def run_steps(
    run: Run,
    batches: Iterator[Batch],
    state: State,
    guard: NanGuard,
    at_step_end: Sequence[Callable[[State], None]],
) -> None:
    """Train until the plan ends or something at a step's end stops the run.

    Args:
        run: its learner and optimiser as Fabric wraps them.
        batches: of this process, from the state's step on.
        state: where the run begins; it goes along.
        guard: looks at losses and gradients before they reach the weights.
        at_step_end: called in this order after each step.
    """
    fabric, plan, learner, optimizer = run.fabric, run.plan, run.learner, run.optimizer
    recipe, rank = learner.recipe, fabric.global_rank
    noise = torch.Generator(fabric.device)  # losses draw on the training device
    budget = 60.0 * (recipe.trainer.max_minutes or float("inf"))
    factor = learning_rate_factor(recipe.schedule, plan, lambda: state.seconds / budget)
    learner.train()
    while state.step < plan.total_steps and not state.stop:
        state.rate = set_learning_rate(optimizer, factor(state.step))
        state.terms = []
        for part in range(plan.accumulate):
            number = state.step * plan.accumulate + part
            state.batch = learner.prepare(fabric.to_device(next(batches)), number, rank)
            seed_batch(noise, recipe.trainer.seed, number, rank)
            with fabric.no_backward_sync(run.model, enabled=part + 1 < plan.accumulate):
                loss, terms = run.model(state.batch, state.step, noise)
                guard.check_loss(state, loss)
                if part == 0:  # freed before the pass, their memory would be paged in anew
                    optimizer.zero_grad()
                fabric.backward(loss / plan.accumulate)
            state.terms.append({"loss": loss.detach(), **terms})
        norm = None
        if (limit := recipe.optimizer.clip_norm) is not None:
            norm = fabric.clip_gradients(
                run.model, optimizer, max_norm=limit, error_if_nonfinite=False
            )
        guard.check_gradients(state, norm)
        optimizer.step()
        state.step += 1
        for act in at_step_end:
            act(state)
