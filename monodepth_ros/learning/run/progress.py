"""Progress of a run: a bar on a terminal, a line at least every half minute in a log file."""

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
)

from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.learning.run.stopping import TimeBudget

_KEPT = ("loss", "val/abs_rel", "val/a1", "val/photometric")


class ProgressReport(Callback):
    """Shows step, figures, images/s and the minutes left, and logs images/s.

    ``budget`` is the run's clock, which stands while the process is stopped.
    """

    def __init__(self, budget: TimeBudget) -> None:
        self.console = Console(stderr=True)
        self._budget = budget
        self._bar: Progress | None = None
        self._heartbeat: Heartbeat | None = None
        self._figures: dict[str, float] = {}
        self._rate = ""
        self._since = (0, 0.0)
        self._start = (0, 0.0)  # of this session: the step, and the budget's minutes

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Open the bar at the step where the run starts or resumes."""
        self._since = (trainer.global_step, time.monotonic())
        self._start = (trainer.global_step, self._budget.minutes)
        if not trainer.is_global_zero:
            return
        if not self.console.is_terminal:
            self._heartbeat = Heartbeat(lambda: self._line(trainer))
            self._heartbeat.__enter__()
            return
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
        )
        self._task = self._bar.add_task(
            "", total=trainer.max_steps, completed=trainer.global_step, figures="", left=""
        )
        self._bar.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance; on the module's logging steps take the figures along."""
        step = trainer.global_step
        if self._bar is not None:
            self._bar.update(self._task, completed=step, left=self._left(trainer))
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
        if self._heartbeat is not None:
            self._heartbeat.__exit__(None, None, None)
            self._heartbeat = None

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: Any, exception: BaseException
    ) -> None:
        """As a run that ends well does."""
        self.teardown(trainer, pl_module, "fit")

    def _report(self, trainer: lightning.Trainer, pl_module: Any, step: int) -> None:
        first, at = self._since
        seconds = time.monotonic() - at
        rate = (step - first) * pl_module.plan.global_batch / max(seconds, 1e-9)
        self._since = (step, time.monotonic())
        pl_module.log("images_per_second", rate)
        if not trainer.is_global_zero:
            return
        self._rate = f"{rate:.1f} images/s"
        if self._bar is not None:
            self._bar.update(self._task, figures=self._text())
        else:
            self._print(self._line(trainer))

    def _line(self, trainer: lightning.Trainer) -> str:
        parts = (self._text(), self._left(trainer))
        return "  ".join([f"step {trainer.global_step}/{trainer.max_steps}", *filter(None, parts)])

    def _text(self) -> str:
        figures = [f"{key} {value:.4f}" for key, value in self._figures.items()]
        return "  ".join([*figures, *([self._rate] if self._rate else [])])

    def _left(self, trainer: lightning.Trainer) -> str:
        """How long the run still takes: until its last step, or until its time is up."""
        first, began = self._start
        limit, spent = self._budget.max_minutes, self._budget.minutes
        left = [] if limit is None else [limit - spent]
        if (done := trainer.global_step - first) > 0:
            left.append((trainer.max_steps - trainer.global_step) * (spent - began) / done)
        return f"{max(0.0, min(left)):.1f} min left" if left else ""

    def _print(self, line: str) -> None:
        if self._heartbeat is not None:
            self._heartbeat.say(line)
        else:
            self.console.print(line, highlight=False, soft_wrap=True)
