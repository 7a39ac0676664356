"""A training run from beginning to end: its folder, its data, its parts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn

from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.cameras.focal_check import focal_warnings
from monodepth_ros.data.sequence import Sequence as Recording
from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import training_loader, validation_loader
from monodepth_ros.learning.initial_weights import load_initial_weights
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.losses.uncertainty import DepthUncertainty
from monodepth_ros.learning.optimisation import build_optimizer
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.checkpoints import LAST, Checkpoints, read_resumable
from monodepth_ros.learning.run.data import RunData, open_run_data
from monodepth_ros.learning.run.devices import build_fabric, process_rank
from monodepth_ros.learning.run.loop import run_steps
from monodepth_ros.learning.run.metrics import Metrics
from monodepth_ros.learning.run.nan_guard import NanGuard
from monodepth_ros.learning.run.progress import ProgressReport
from monodepth_ros.learning.run.record import check_same_run, write_run_record
from monodepth_ros.learning.run.sample_pictures import SamplePictures
from monodepth_ros.learning.run.state import Run, State
from monodepth_ros.learning.run.stopping import StopSignals, TimeBudget, TrainingStopped
from monodepth_ros.learning.run.validation import Validation
from monodepth_ros.learning.step_stream import Plan, plan_run


def train(
    recipe: Recipe,
    data: Sequence[str | Path],
    folder: Path,
    held_back: Sequence[str | Path] = (),
    resume: bool = False,
    replay: Sequence[str | Path] = (),
    capture: CaptureSettings = NOTHING_STATED,
) -> Path:
    """Train by ``recipe`` on the sequences in ``data`` and return the run folder.

    Args:
        recipe: what to learn and how.
        data: folders of sequences, or ``FOLDER@start:stop:step`` of one.
        folder: where recipe, metrics, checkpoints and pictures go; new or empty unless resumed.
        held_back: folders to validate on, besides ``data.validation_fraction`` of ``data``.
        resume: go on from the last checkpoint of ``folder``, exactly where it ended.
        replay: folders with true depth that the model should not forget; see ``losses.rehearsal``.
        capture: camera and frame rate of recordings that state none.

    Raises:
        UserError: wrong data, folder or checkpoint.
        TrainingDiverged: the loss became NaN or infinite.
        TrainingStopped: by a signal; a checkpoint to resume from is written.
    """
    last = _prepare_folder(folder, resume)
    if recipe.trainer.threads is not None:
        torch.set_num_threads(recipe.trainer.threads)
    if replay:
        recipe = recipe.with_loss("rehearsal")
    sources = open_run_data(recipe, data, held_back, replay, capture)
    plan = plan_run(recipe, len(sources.training))
    torch.manual_seed(recipe.trainer.seed)  # the random initial weights
    learner = Learner(recipe)
    state, former, doubts = State(), None, []
    if last is not None:
        check_same_run(folder, recipe, sources.recordings)
        state, former = read_resumable(last, learner, plan)
    else:
        load_initial_weights(learner, recipe.networks)
        doubts = _doubts(recipe, sources.opened)
    if state.step >= plan.total_steps:
        return folder  # complete already: nothing is left to do
    fabric = build_fabric(recipe)
    if fabric.is_global_zero:
        write_run_record(folder, recipe, sources.account(doubts), state.step)
    _go(_set_up(fabric, learner, plan, folder), sources, state, former)
    if state.interrupted and state.step < plan.total_steps:
        raise TrainingStopped(
            f"training stopped by a signal after step {state.step} of {plan.total_steps};"
            f" --resume --out {folder} goes on"
        )
    return folder


def _go(run: Run, sources: RunData, state: State, former: dict[str, Any] | None) -> None:
    """Through the steps, from ``state`` and the checkpoint that it came from."""
    fabric, plan, recipe = run.fabric, run.plan, run.learner.recipe
    minutes = recipe.trainer.max_minutes
    place = (fabric.global_rank, fabric.world_size, fabric.device.type == "cuda")
    batches = training_loader(recipe, plan, sources.training, sources.sets, state.step, *place)
    checkpoints = Checkpoints(run, _monitor(recipe, sources.validates_on_truth))
    if former is not None:
        checkpoints.resume(former)
    with ExitStack() as opened:
        metrics = opened.enter_context(closing(Metrics(run, state.step)))
        budget = opened.enter_context(TimeBudget(fabric, minutes))
        signals = opened.enter_context(StopSignals(fabric))
        at_step_end: list[Callable[[State], None]] = [budget, signals, metrics]
        told = [metrics.validated, checkpoints.validated]
        if fabric.is_global_zero:
            progress = opened.enter_context(ProgressReport(plan, state, minutes))
            at_step_end += [progress, SamplePictures(run)]
            told.append(progress.validated)
        at_step_end.append(checkpoints)
        if sources.validation is not None:
            held = validation_loader(recipe, sources.validation, *place)
            at_step_end.append(Validation(run, held, told))
        run_steps(run, iter(batches), state, NanGuard(run), at_step_end)


def _set_up(fabric: Fabric, learner: Learner, plan: Plan, folder: Path) -> Run:
    """Start the processes; the learner and its optimiser as Fabric wraps them."""
    recipe = learner.recipe
    fabric.launch()
    torch.backends.cudnn.benchmark = True  # images keep their size
    if recipe.trainer.sync_batchnorm and fabric.world_size > 1:
        nn.SyncBatchNorm.convert_sync_batchnorm(learner)
    learner.compile_networks()
    fused = recipe.trainer.precision != "fp16"  # fused Adam unscales by itself, too late
    optimizer = build_optimizer(recipe.optimizer, learner.parameter_groups(), fused)
    model, wrapped = fabric.setup(learner, optimizer)
    model.mark_forward_method("validation_metrics")
    return Run(fabric, plan, folder, learner, model, wrapped)


def _prepare_folder(folder: Path, resume: bool) -> Path | None:
    """The checkpoint to resume from; refuses to mix two runs in one folder."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: is a file, not a folder")
    last = folder / LAST
    if process_rank() != 0:
        resume = resume and last.is_file()
        return last if resume else None  # the first process has looked, and writes there by now
    if resume:
        return last if last.is_file() else None  # killed before the first checkpoint: start anew
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"--out {folder}: not empty; --resume goes on with it, or name another")
    return None


def _doubts(recipe: Recipe, recordings: list[Recording]) -> list[str]:
    """Say which cameras do not fit the motion of their images, where that is learnt from."""
    if not recipe.active.keys() & {"photometric", "triangulation"} or process_rank() != 0:
        return []
    doubts = focal_warnings(recordings)
    for line in doubts:
        print(f"WARNING: {line}", file=sys.stderr)
    return doubts


def _monitor(recipe: Recipe, truth: bool) -> str | None:
    """The figure that tells the best weights, of what is learnt; less is better."""
    if truth and recipe.trains_head_alone and DepthUncertainty.name in recipe.active:
        return f"val/{DepthUncertainty.name}"
    if truth and not recipe.networks.freeze_depth:
        return "val/abs_rel"
    if truth and "pose" in recipe.active:
        return "val/pose"
    told = ("scale_shift_invariant", "photometric", "triangulation")
    return next((f"val/{name}" for name in told if name in recipe.active), None)
