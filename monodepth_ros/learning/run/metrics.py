"""What a run finds, in ``metrics.csv`` and ``tensorboard/``."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.learning.run.state import Run, State


class Metrics:
    """A row on each logged step of the plan, means over processes, and one of each validation."""

    def __init__(self, run: Run, start: int) -> None:
        self.fabric, self.plan = run.fabric, run.plan
        self._since = (start, time.monotonic())
        if self.fabric.is_global_zero:
            self._table = MetricsFile(run.folder / "metrics.csv", start)
            self._board = SummaryWriter(run.folder / "tensorboard")

    def close(self) -> None:
        """No figure follows."""
        if self.fabric.is_global_zero:
            self._board.close()

    def __call__(self, state: State) -> None:
        """Take the figures of a logged step."""
        if not self.plan.is_logged(state.step):
            return
        names = list(state.terms[0])
        terms = torch.stack([torch.stack([t[name].float() for name in names]) for t in state.terms])
        means = terms.mean(0)
        self.fabric.all_reduce(means, reduce_op="mean")
        first, began = self._since
        now = time.monotonic()
        self._since = (state.step, now)
        images = (state.step - first) * self.plan.global_batch
        state.figures = dict(zip(names, means.tolist(), strict=True)) | {
            "lr": state.rate,
            "epoch": self.plan.epoch(state.step),
            "images_per_second": images / max(now - began, 1e-9),
        }
        self._write(state.step, state.figures)

    def validated(self, state: State) -> None:
        """Take the figures of a validation."""
        self._write(state.step, {**state.validation, "epoch": self.plan.epoch(state.step)})

    def _write(self, step: int, figures: dict[str, float]) -> None:
        if not self.fabric.is_global_zero:
            return
        self._table.add({"step": step - 1, **figures})  # steps count from 0
        for name, value in figures.items():
            self._board.add_scalar(name, value, step - 1)
        self._board.flush()


class MetricsFile:
    """A CSV file with a column for each figure that came up, sorted by name.

    A run that resumes at ``start`` keeps the rows of before in a file of their own.
    """

    def __init__(self, path: Path, start: int) -> None:
        self.path = path
        self._columns: list[str] = []
        if start > 0 and path.exists():
            path.rename(path.with_name(f"{path.stem}_before_step_{start:07d}.csv"))

    def add(self, row: dict[str, float]) -> None:
        """Write a row at once; the file is written anew where it brings a column."""
        if row.keys() <= set(self._columns):
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(row)
            return
        rows = []
        if self._columns:
            with self.path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        self._columns = sorted({*self._columns, *row})
        with atomic_path(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows([*rows, row])
