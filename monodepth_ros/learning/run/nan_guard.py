"""Stops a run whose loss or gradients are not finite, before they reach the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from monodepth_ros.atomic_file import atomic_path


class TrainingDiverged(RuntimeError):
    """The loss or a gradient became NaN or infinite; the message names the saved batch."""


class NanGuard(Callback):
    """Checks every step and saves the offending batch with the weights that met it.

    With fp16 only the loss is checked: there the gradient scaler meets infinities by design.
    """

    def __init__(self, folder: Path, check_gradients: bool) -> None:
        self.folder, self.check_gradients = folder, check_gradients
        self._batch: Any = None

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Remember the batch under way."""
        self._batch = batch

    def on_before_backward(self, trainer: lightning.Trainer, pl_module: Any, loss: Tensor) -> None:
        """Check the loss."""
        if not torch.isfinite(loss):
            self._stop(trainer, pl_module, f"loss is {loss.item()}")

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: Any, optimizer: torch.optim.Optimizer
    ) -> None:
        """Check all gradients at once through their norm."""
        if not self.check_gradients:
            return
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        if not torch.isfinite(torch.nn.utils.get_total_norm(gradients)):
            named = pl_module.named_parameters()
            bad = [n for n, p in named if p.grad is not None and not p.grad.isfinite().all()]
            what = f"the gradient of {bad[0]}" if bad else "the norm of the gradients"
            self._stop(trainer, pl_module, f"{what} is not finite")

    def _stop(self, trainer: lightning.Trainer, pl_module: Any, what: str) -> None:
        step = trainer.global_step
        path = self.folder / f"not_finite_step_{step:07d}_rank_{trainer.global_rank}.pt"
        with atomic_path(path) as temporary:
            torch.save({"batch": self._batch, "weights": pl_module.state_dict()}, temporary)
        samples = self._batch["index"].tolist()
        raise TrainingDiverged(
            f"training stopped at step {step}: {what}; samples {samples} and the weights are in"
            f" {path}: set optimizer.clip_norm and --resume, or begin again with a lower"
            " optimizer.lr"
        )
