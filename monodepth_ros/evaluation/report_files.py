"""The files of a report: JSON, CSV tables and plots, each whole or not there."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path

Metrics = Mapping[str, float]


def to_json(metrics: Mapping[str, object]) -> str:
    """Metrics as a JSON object; NaN, a value that the data cannot give, becomes null."""
    return json.dumps(finite(metrics), indent=2)


def finite(value: object) -> object:
    """What JSON can hold: None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, metrics: Mapping[str, object]) -> None:
    """Metrics as a JSON file."""
    write_text(path, to_json(metrics) + "\n")


def save_histogram(path: Path, errors: Mapping[str, NDArray], x_label: str, y_label: str) -> None:
    """How often which error occurs, over all series."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    axes.hist(np.concatenate(list(errors.values())), bins=40)
    save_figure(path, figure)


def save_lines(
    path: Path,
    series: Mapping[str, NDArray],
    x_label: str,
    y_label: str,
    x: NDArray[np.float64] | None = None,
) -> None:
    """Each named series over ``x``, by default its frames, from zero upwards."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    for name, values in series.items():
        over = np.arange(len(values)) if x is None else x
        axes.plot(over, values, label=name, linewidth=1, marker="." if len(values) < 100 else "")
    axes.set_ylim(bottom=0)
    if 1 < len(series) <= 12:
        axes.legend()
    save_figure(path, figure)


def save_from_above(path: Path, trajectories: Mapping[str, NDArray], unit: str) -> None:
    """Positions (N, 3) seen from above the first camera: its x to the right, its z upwards.

    The truth is black, an estimate red.
    """
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot(xlabel=f"x [{unit}]", ylabel=f"z [{unit}]", aspect="equal")
    for name, positions in trajectories.items():
        colour = "tab:red" if name.startswith("estimate") else "black"
        axes.plot(*positions[:, [0, 2]].T, label=name, color=colour)
    axes.plot(0, 0, "o", color="black", markersize=4)
    axes.set_adjustable("datalim")
    axes.legend()
    save_figure(path, figure)


def save_figure(path: Path, figure: Figure) -> None:
    """A figure as PNG."""
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))


def write_text(path: Path, text: str) -> None:
    """A text file; what is not UTF-8 of names in it is written as escapes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table with its header, names as in :func:`write_text`."""
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def file_name(name: str) -> str:
    """A sequence's name as part of a file's."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
