"""The two checkpoints of a run: the last, to resume from, and the best, to use."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

LAST = Path("checkpoints/last.ckpt")
BEST = Path("checkpoints/best.ckpt")


class Checkpoints(Callback):
    """Writes ``last.ckpt`` every few minutes and at the end, ``best.ckpt`` after a validation.

    ``last.ckpt`` is only written right after a step, the one moment from which a run can go on
    exactly; ``best.ckpt`` holds weights alone. Both replace their predecessor in one rename.
    """

    def __init__(self, folder: Path, minutes: float, monitor: str | None) -> None:
        self.folder, self.minutes, self.monitor = folder, minutes, monitor
        self.best: float | None = None
        self.best_step: int | None = None
        self._saved_at = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """The first interval begins now."""
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save when the interval is over or no step follows."""
        last_step = trainer.should_stop or trainer.global_step >= trainer.max_steps
        due = time.monotonic() - self._saved_at >= 60.0 * self.minutes
        if trainer.world_size > 1:
            due = trainer.strategy.reduce_boolean_decision(due, all=False)
        if last_step or due:
            self._save(trainer, self.folder / LAST)
            self._saved_at = time.monotonic()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Keep the weights when the monitored figure is the lowest so far."""
        if self.monitor is None or self.monitor not in trainer.callback_metrics:
            return
        value = float(trainer.callback_metrics[self.monitor])
        if math.isfinite(value) and (self.best is None or value < self.best):
            self.best, self.best_step = value, trainer.global_step
            self._save(trainer, self.folder / BEST, weights_only=True)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must beat."""
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the former run's best."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]

    def _save(self, trainer: lightning.Trainer, path: Path, weights_only: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        trainer.save_checkpoint(partial, weights_only=weights_only)  # every process takes part
        if trainer.is_global_zero:
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the CPU: tensors and plain values, nothing is unpickled."""
    return torch.load(path, map_location="cpu", weights_only=True)
