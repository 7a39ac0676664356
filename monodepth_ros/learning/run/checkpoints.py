"""The two checkpoints of a run: the last, to resume from, and the best, to use."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run.state import Run, State
from monodepth_ros.learning.run.stopping import any_process
from monodepth_ros.learning.step_stream import Plan

LAST = Path("checkpoints/last.ckpt")
BEST = Path("checkpoints/best.ckpt")
_KEPT = ("step", "seconds", "validation", "best", "best_step")  # of the state


class Checkpoints:
    """Writes ``last.ckpt`` every few minutes and at the end, ``best.ckpt`` after a validation.

    ``last.ckpt`` is what a run goes on from exactly; ``best.ckpt`` holds weights alone. Both
    replace their predecessor in one rename. A step is safe before it is validated: what that finds
    is written after.
    """

    def __init__(self, run: Run, monitor: str | None) -> None:
        self.run, self.monitor = run, monitor
        self._saved_at = time.monotonic()
        self._saved_step: int | None = None

    def __call__(self, state: State) -> None:
        """Save when the interval is over or no step follows."""
        last_step = state.stop or state.step == self.run.plan.total_steps
        minutes = self.run.learner.recipe.trainer.checkpoint_minutes
        due = time.monotonic() - self._saved_at >= 60.0 * minutes
        if last_step or any_process(self.run.fabric, due):
            self._save_last(state)

    def validated(self, state: State) -> None:
        """Keep the weights when the monitored figure is the lowest so far."""
        value = state.validation.get(self.monitor or "", math.nan)
        if math.isfinite(value) and (state.best is None or value < state.best):
            state.best, state.best_step = value, state.step
            self._save(BEST, state)
        if self._saved_step == state.step:
            self._save_last(state)

    def resume(self, content: dict[str, Any]) -> None:
        """Bring weights, optimiser and loss scale to where they were."""
        self.run.learner.load_state_dict(content["weights"])
        self.run.optimizer.load_state_dict(content["optimizer"])
        self._precision.load_state_dict(content["precision"])

    @property
    def _precision(self) -> Any:
        return self.run.fabric.strategy.precision

    def _save_last(self, state: State) -> None:
        self._save(LAST, state, optimizer=self.run.optimizer, precision=self._precision)
        self._saved_at, self._saved_step = time.monotonic(), state.step

    def _save(self, name: Path, state: State, **parts: Any) -> None:
        if not self.run.fabric.is_global_zero:
            return
        content = {
            "state": {key: getattr(state, key) for key in _KEPT},
            "plan": self.run.plan.record(),
            "weights": self.run.learner.state_dict(),
            **{key: part.state_dict() for key, part in parts.items()},
        }
        with atomic_path(self.run.folder / name) as temporary:
            torch.save(content, temporary)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content on the CPU: tensors and plain values, nothing is unpickled."""
    return torch.load(path, map_location="cpu", weights_only=True)


def read_resumable(path: Path, learner: Learner, plan: Plan) -> tuple[State, dict[str, Any]]:
    """Where a run goes on, and the checkpoint; UserError when it belongs to another run."""
    try:
        content = read_checkpoint(path)
        state, weights, former = State(**content["state"]), content["weights"], content["plan"]
    except Exception as error:
        raise UserError(f"{path}: not a checkpoint of this program ({error})") from None
    shapes, expected = (
        {name: tensor.shape for name, tensor in state.items()}
        for state in (weights, learner.state_dict())
    )
    if shapes != expected:
        raise UserError(
            f"{path}: the checkpoint has another architecture than"
            f" networks.architecture={learner.recipe.networks.architecture}"
        )
    if former != plan.record():
        raise UserError(
            f"{path}: the run had {former}, now there are {plan.record()}:"
            " give the same --data and trainer.batch_size to go on exactly"
        )
    return state, content
