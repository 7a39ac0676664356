"""A training run from beginning to end: its folder, its parts, its trainer."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy, Strategy

from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.cameras.focal_check import focal_warnings
from monodepth_ros.data.sequence import Sequence as Recording
from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import (
    Batches,
    account_of,
    build_datasets,
    build_replay,
    fingerprints,
    focal_length,
    open_sequences,
)
from monodepth_ros.learning.initial_weights import load_initial_weights
from monodepth_ros.learning.recipe.recipe import Recipe, TrainerRecipe
from monodepth_ros.learning.run.adapter import TrainedLearner
from monodepth_ros.learning.run.checkpoints import LAST, Checkpoints, read_checkpoint
from monodepth_ros.learning.run.nan_guard import NanGuard
from monodepth_ros.learning.run.progress import ProgressReport
from monodepth_ros.learning.run.record import check_same_run, write_run_record
from monodepth_ros.learning.run.sample_pictures import SamplePictures
from monodepth_ros.learning.run.stopping import StopSignals, TimeBudget, TrainingStopped
from monodepth_ros.learning.step_stream import Plan, plan_run
from monodepth_ros.networks.depth_decoder import SCALES

# Advice of the trainer that does not apply: batches are resumable by the step stream, memory-mapped
# frames need no workers, earlier metrics are kept under another name, and what is frozen is so by
# the recipe.
_HARMLESS = (
    ".*does not have many workers",
    ".*Total length of `list` across ranks is zero",
    ".*your dataloader is not resumable",
    ".*Experiment logs directory",
    ".*treespec, LeafSpec",
    ".*You have overridden `on_after_batch_transfer`",
    ".*in eval mode at the start of training",
)
PRECISION: dict[str, Any] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


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
        replay: folders with true depth that the model should not forget; see ``replay`` of recipes.
        capture: camera and frame rate of recordings that state none.

    Raises:
        UserError: wrong data, folder or checkpoint.
        TrainingDiverged: the loss became NaN or infinite.
        TrainingStopped: by a signal; a checkpoint to resume from is written.
    """
    checkpoint = _prepare_folder(folder, resume)
    if recipe.trainer.threads is not None:
        torch.set_num_threads(recipe.trainer.threads)
    opened = open_sequences(data, capture)
    training, validation = build_datasets(recipe, opened, held_back, capture)
    if replay and recipe.networks.freeze_depth:
        raise UserError(
            "--replay keeps depth from being forgotten, but networks.freeze_depth is on"
        )
    replayed = build_replay(recipe, replay) if replay else None
    recordings = {
        "--data": fingerprints(training),
        "--val": fingerprints(validation),
        "--replay": fingerprints(replayed),
    }
    plan = plan_run(recipe, len(training))
    budget = TimeBudget(recipe.trainer.max_minutes)
    torch.manual_seed(recipe.trainer.seed)  # the random initial weights
    module = TrainedLearner(recipe, plan, budget.spent)
    start = 0
    if checkpoint is not None:
        check_same_run(folder, recipe, recordings)
        start = _check_checkpoint(checkpoint, module, plan)
    else:
        load_initial_weights(module, recipe.networks)
    doubts = [] if checkpoint is not None else _doubts(recipe, opened)
    if start >= plan.total_steps:
        return folder  # complete already: nothing is left to do
    module.compile_networks()
    monitor = _monitor(recipe, "depth" in validation[0]) if validation is not None else None
    signals = StopSignals()
    callbacks = [
        budget,
        signals,
        SamplePictures(folder / "pictures", recipe.trainer.pictures_every),
        ProgressReport(budget),
        Checkpoints(folder, recipe.trainer.checkpoint_minutes, monitor),  # last: sees who stops
    ]
    if recipe.trainer.nan_guard:
        callbacks.insert(0, NanGuard(folder, recipe.trainer.precision != "fp16"))
    trainer = _build_trainer(recipe, plan, folder, callbacks, start)
    if trainer.is_global_zero:
        sources = {
            "training": [str(path) for path in data],
            "validation": [str(path) for path in held_back],
            "replay": [str(path) for path in replay],
            "recordings": recordings,
            "training_samples": plan.samples,
            "focal_length": focal_length(training),
            "guessed_cameras": training.guessed_cameras,
            "doubtful_cameras": doubts,
            "left_out": account_of(opened),
        }
        write_run_record(folder, recipe, sources, start)
    trainer.fit(
        module,
        datamodule=Batches(recipe, plan, training, validation, replayed),
        ckpt_path=None if checkpoint is None else str(checkpoint),
        weights_only=True,
    )
    if signals.stopped and trainer.global_step < plan.total_steps:
        raise TrainingStopped(
            f"training stopped by a signal after step {trainer.global_step} of"
            f" {plan.total_steps}; --resume --out {folder} goes on"
        )
    return folder


def _doubts(recipe: Recipe, recordings: list[Recording]) -> list[str]:
    """Say which cameras do not fit the motion of their images, where that is learnt from."""
    if recipe.objective.self_supervised.weight == 0 or process_rank() != 0:
        return []
    doubts = focal_warnings(recordings)
    for line in doubts:
        print(f"WARNING: {line}", file=sys.stderr)
    return doubts


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


def _monitor(recipe: Recipe, truth: bool) -> str | None:
    """The figure that tells the best weights, of what is learnt; less is better."""
    if truth and not recipe.networks.freeze_depth:
        return "val/abs_rel"
    if truth and recipe.objective.compares_motions:
        return "val/pose"
    return "val/photometric" if recipe.objective.self_supervised.weight > 0 else None


def process_rank() -> int:
    """This process among those of the run, from what torchrun or the trainer set around it."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))


def _check_checkpoint(path: Path, module: TrainedLearner, plan: Plan) -> int:
    """The step at which the run goes on; UserError when it belongs to another run."""
    try:
        content = read_checkpoint(path)
        step, weights = content["global_step"], content["state_dict"]
    except Exception as error:
        raise UserError(f"{path}: not a checkpoint of this program ({error})") from None
    expected = module.state_dict()
    if weights.keys() != expected.keys() or any(
        weights[k].shape != expected[k].shape for k in expected
    ):
        raise UserError(
            f"{path}: the checkpoint has another architecture than"
            f" networks.architecture={module.recipe.networks.architecture}"
        )
    if content["plan"] != module.plan_record():
        raise UserError(
            f"{path}: the run had {content['plan']}, now there are {module.plan_record()}:"
            " give the same --data and trainer.batch_size to go on exactly"
        )
    return int(step)


def _build_trainer(
    recipe: Recipe, plan: Plan, folder: Path, callbacks: list[Callback], start: int
) -> lightning.Trainer:
    settings = recipe.trainer
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for known in _HARMLESS:
        warnings.filterwarnings("ignore", message=known)
    every = recipe.evaluation.every_steps or round(
        recipe.evaluation.every_epochs * plan.steps_per_epoch
    )
    return lightning.Trainer(
        accelerator=_accelerator(settings),
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy=_strategy(recipe),
        precision=PRECISION[_precision(settings)],
        # The stream of all steps is one epoch to the trainer; epochs are counted by the plan.
        max_epochs=1,
        max_steps=plan.total_steps,
        val_check_interval=max(1, min(every, plan.total_steps)),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        sync_batchnorm=settings.sync_batchnorm,
        use_distributed_sampler=False,
        log_every_n_steps=plan.log_every,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        benchmark=True,
        callbacks=callbacks,
        logger=_loggers(folder, start),
        default_root_dir=folder,
    )


def _accelerator(settings: TrainerRecipe) -> str:
    cuda = torch.cuda.is_available()
    if settings.accelerator == "cuda" and not cuda:
        raise UserError("trainer.accelerator: cuda, but PyTorch sees no CUDA device")
    if settings.accelerator == "cpu" or not cuda:
        if settings.precision == "fp16":
            raise UserError("trainer.precision: fp16 needs a CUDA device; use bf16 or 32")
        return "cpu"
    return "cuda"


def _precision(settings: TrainerRecipe) -> str:
    """The recipe's, but single where bfloat16 is emulated: there it takes several times as long."""
    on_cpu = _accelerator(settings) == "cpu"
    if settings.precision == "bf16" and on_cpu and not bfloat16_is_native():
        print("this CPU has no fast bfloat16: training in single precision", file=sys.stderr)
        return "32"
    return settings.precision


def bfloat16_is_native() -> bool:
    """Whether PyTorch's CPU kernels compute in bfloat16 themselves (AVX-512, or ARM's BF16)."""
    onednn = torch.backends.mkldnn.is_available()
    return onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _strategy(recipe: Recipe) -> Strategy | str:
    processes = recipe.trainer.devices * recipe.trainer.num_nodes
    started = int(os.environ.get("WORLD_SIZE", processes))
    if started != processes:
        raise UserError(
            f"{started} processes were started, but trainer.devices x trainer.num_nodes is"
            f" {processes}: make them equal"
        )
    if processes == 1:
        return "auto"
    objective = recipe.objective
    used: set[int] = set()
    if objective.self_supervised.weight > 0 and objective.self_supervised.train_depth:
        used |= set(objective.self_supervised.scales)
    if objective.supervised.weight > 0:
        used |= set(objective.supervised.scales)
    # Looking for disparity heads without a gradient costs time, so only where there are some.
    self_supervised = objective.self_supervised
    later = max(self_supervised.rotation_first_steps, self_supervised.pose_first_steps) > 0
    # Features have no gradient before the warm-up's end, nor from a batch that nothing matches in.
    later = later or recipe.refinement.enabled
    return DDPStrategy(find_unused_parameters=len(used) < SCALES or later)


def _loggers(folder: Path, start: int) -> list[Any]:
    """``metrics.csv`` and ``tensorboard/``; a resumed run keeps what the earlier session wrote."""
    metrics = folder / "metrics.csv"
    if start > 0 and metrics.exists():
        metrics.rename(folder / f"metrics_before_step_{start:07d}.csv")
    return [
        CSVLogger(folder, name="", version=""),
        TensorBoardLogger(folder, name="", version="tensorboard"),
    ]
