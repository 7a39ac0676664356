"""Progress of a run: a bar on a terminal, a line at least every half minute in a log file."""

from __future__ import annotations

from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.learning.run.state import State
from monodepth_ros.learning.step_stream import Plan
from monodepth_ros.progress import plain_console

_KEPT = ("val/abs_rel", "val/a1", "val/photometric")


class ProgressReport:
    """While it is open, shows step, figures, images/s and the minutes left."""

    def __init__(self, plan: Plan, state: State, max_minutes: float | None) -> None:
        self.plan, self.state, self.max_minutes = plan, state, max_minutes
        self.console = plain_console()
        self._start = (state.step, state.seconds)  # of this session
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[figures]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        total, done = plan.total_steps, state.step
        self._task = self._bar.add_task("", total=total, completed=done, figures="", left="")
        self._heartbeat = None if self.console.is_terminal else Heartbeat(self._line)

    def __enter__(self) -> ProgressReport:
        (self._heartbeat or self._bar).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        (self._heartbeat or self._bar).__exit__(*error)

    def __call__(self, state: State) -> None:
        """Advance; in a log file on logged steps alone."""
        if self._heartbeat is None:
            left, figures = self._left(), self._figures()
            self._bar.update(self._task, completed=state.step, left=left, figures=figures)
        elif self.plan.is_logged(state.step):
            self._print(self._line())

    def validated(self, state: State) -> None:
        """Show what validation found."""
        self._print(f"step {state.step}: validation  {_text(state.validation)}")

    def _line(self) -> str:
        parts = (f"step {self.state.step}/{self.plan.total_steps}", self._figures(), self._left())
        return "  ".join(filter(None, parts))

    def _figures(self) -> str:
        figures, validation = self.state.figures, _text(self.state.validation)
        if not figures:
            return validation
        loss, rate = f"loss {figures['loss']:.4f}", f"{figures['images_per_second']:.1f} images/s"
        return "  ".join(filter(None, (loss, validation, rate)))

    def _left(self) -> str:
        """How long the run still takes: until its last step, or until its time is up."""
        state, (first, began) = self.state, self._start
        left = [] if self.max_minutes is None else [60.0 * self.max_minutes - state.seconds]
        if (done := state.step - first) > 0:
            left.append((self.plan.total_steps - state.step) * (state.seconds - began) / done)
        return f"{max(0.0, min(left)) / 60.0:.1f} min left" if left else ""

    def _print(self, line: str) -> None:
        if self._heartbeat is not None:
            self._heartbeat.write(line)
        else:
            self.console.print(line)


def _text(validation: dict[str, float]) -> str:
    return "  ".join(f"{key} {validation[key]:.4f}" for key in _KEPT if key in validation)
