"""Stops a run whose loss or gradients are not finite, before they reach the weights."""

from __future__ import annotations

import torch
from torch import Tensor

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import Failure
from monodepth_ros.learning.run.state import Run, State


class TrainingDiverged(Failure):
    """The loss or a gradient became NaN or infinite; the message names the saved batch."""


class NanGuard:
    """Checks every step and saves the offending batch with the weights that met it.

    With fp16 only the loss is checked: there the gradient scaler meets infinities by design.
    """

    def __init__(self, run: Run) -> None:
        self.learner, self.folder, self.rank = run.learner, run.folder, run.fabric.global_rank
        self.on = run.learner.recipe.trainer.nan_guard

    def check_loss(self, state: State, loss: Tensor) -> None:
        """Before it is propagated back."""
        if self.on and not torch.isfinite(loss):
            self._stop(state, f"loss is {loss.item()}")

    def check_gradients(self, state: State, norm: Tensor | None) -> None:
        """All at once through their norm, which may be known: before the optimiser uses them."""
        if not self.on or self.learner.recipe.trainer.precision == "fp16":
            return
        named = [(n, p.grad) for n, p in self.learner.named_parameters() if p.grad is not None]
        if norm is None:
            norm = torch.nn.utils.get_total_norm([gradient for _, gradient in named])
        if not torch.isfinite(norm):
            bad = [name for name, gradient in named if not gradient.isfinite().all()]
            what = f"the gradient of {bad[0]}" if bad else "the norm of the gradients"
            self._stop(state, f"{what} is not finite")

    def _stop(self, state: State, what: str) -> None:
        path = self.folder / f"not_finite_step_{state.step:07d}_rank_{self.rank}.pt"
        with atomic_path(path) as temporary:
            weights = self.learner.state_dict()
            torch.save({"batch": state.batch, "weights": weights}, temporary)
        samples = state.batch["index"].tolist()
        raise TrainingDiverged(
            f"training stopped at step {state.step}: {what}; samples {samples} and the weights are"
            f" in {path}: set optimizer.clip_norm and --resume, or begin again with a lower"
            " optimizer.lr"
        )
