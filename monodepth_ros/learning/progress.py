"""Progress of a run: a bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import time
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_KEPT = ("loss", "val/abs_rel", "val/a1", "val/photometric")


class ProgressReport(Callback):
    """Shows step, figures and images/s, and logs the latter."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bar: Progress | None = None
        self._figures: dict[str, float] = {}
        self._since = (0, 0.0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Open the bar at the step where the run starts or resumes."""
        self._since = (trainer.global_step, time.monotonic())
        if not trainer.is_global_zero or not self.console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
        )
        self._task = self._bar.add_task(
            "", total=trainer.max_steps, completed=trainer.global_step, figures=""
        )
        self._bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance; on the module's logging steps take the figures along."""
        step = trainer.global_step
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        if pl_module.plan.is_logged(step):
            self._figures["loss"] = float(outputs["loss"])
            self._report(trainer, pl_module, step)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Show what validation found."""
        found = {k: float(v) for k, v in trainer.callback_metrics.items() if k in _KEPT}
        self._figures |= {k: v for k, v in found.items() if k != "loss"}
        if trainer.is_global_zero:
            text = "  ".join(f"{k} {v:.4f}" for k, v in found.items() if k != "loss")
            self._print(f"step {trainer.global_step}: validation  {text}")

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _report(self, trainer: lightning.Trainer, pl_module: Any, step: int) -> None:
        first, at = self._since
        seconds = time.monotonic() - at
        rate = (step - first) * pl_module.plan.global_batch / max(seconds, 1e-9)
        self._since = (step, time.monotonic())
        pl_module.log("images_per_second", rate)
        if not trainer.is_global_zero:
            return
        figures = "  ".join(f"{k} {v:.4f}" for k, v in self._figures.items())
        text = f"{figures}  {rate:.1f} images/s"
        if self._bar is not None:
            self._bar.update(self._task, figures=text)
        else:
            self._print(f"step {step}/{trainer.max_steps}  {text}")

    def _print(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)
