"""Report folders: figures as JSON, a CSV row per image or frame, and plots."""

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
from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation
from monodepth_ros.evaluation.depth_metrics import METRIC_NAMES
from monodepth_ros.evaluation.odometry_metrics import OdometryEvaluation

Figures = Mapping[str, float]


def to_json(figures: Figures) -> str:
    """Figures as a JSON object; NaN, a figure that the data cannot give, becomes null."""
    finite = {key: value if math.isfinite(value) else None for key, value in figures.items()}
    return json.dumps(finite, indent=2)


def write_depth_report(folder: str | Path, evaluation: DepthEvaluation) -> None:
    """metrics.json, images.csv, skipped.csv (when any was) and plots of the error per image."""
    folder = Path(folder)
    _write_text(folder / "metrics.json", to_json(evaluation.summary()) + "\n")
    _write_csv(
        folder / "images.csv",
        ("sequence", "image", *METRIC_NAMES, "ratio", "pixels", "missing"),
        (
            (name, image.name, *(image.metrics[key] for key in METRIC_NAMES))
            + (image.ratio, image.pixels, image.missing)
            for name, images in evaluation.sequences.items()
            for image in images
        ),
    )
    if evaluation.skipped:
        _write_csv(folder / "skipped.csv", ("image", "reason"), evaluation.skipped)
    errors = {
        name: np.array([image.metrics["abs_rel"] for image in images])
        for name, images in evaluation.sequences.items()
    }
    _histogram(folder / "error_histogram.png", errors, "abs_rel of an image", "images")
    _over_frames(folder / "error_over_frames.png", errors, "image", "abs_rel")


def write_odometry_report(
    folder: str | Path, evaluations: Mapping[str, OdometryEvaluation], figures: Figures
) -> None:
    """metrics.json, frames.csv, sequences.csv and plots of position error and trajectory."""
    folder = Path(folder)
    _write_text(folder / "metrics.json", to_json(figures) + "\n")
    per_sequence = {name: vars(evaluation.errors) for name, evaluation in evaluations.items()}
    columns = list(next(iter(per_sequence.values())))
    _write_csv(
        folder / "sequences.csv",
        ("sequence", *columns),
        ((name, *row.values()) for name, row in per_sequence.items()),
    )
    _write_csv(
        folder / "frames.csv",
        ("sequence", "frame", "position_error_m", "x", "y", "z", "true_x", "true_y", "true_z"),
        (
            (name, f"{key:.9g}", error, *position, *true)
            for name, e in evaluations.items()
            for key, error, position, true in zip(
                e.truth.keys,
                e.position_errors,
                e.estimate.positions,
                e.truth.positions,
                strict=True,
            )
        ),
    )
    errors = {name: evaluation.position_errors for name, evaluation in evaluations.items()}
    _histogram(folder / "error_histogram.png", errors, "position error [m]", "frames")
    _over_frames(folder / "error_over_frames.png", errors, "common frame", "position error [m]")
    for name, evaluation in evaluations.items():
        suffix = f"_{_file_name(name)}" if len(evaluations) > 1 else ""
        _trajectory(folder / f"trajectory{suffix}.png", evaluation)


def _histogram(path: Path, errors: Mapping[str, NDArray], x_label: str, y_label: str) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    axes.hist(np.concatenate(list(errors.values())), bins=40)
    _save(path, figure)


def _over_frames(path: Path, errors: Mapping[str, NDArray], x_label: str, y_label: str) -> None:
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    for name, values in errors.items():
        axes.plot(values, label=name, linewidth=1, marker="." if len(values) < 100 else "")
    axes.set_ylim(bottom=0)
    if 1 < len(errors) <= 12:
        axes.legend()
    _save(path, figure)


def _trajectory(path: Path, evaluation: OdometryEvaluation) -> None:
    """Seen from above the first camera, whose optical frame has x to the right and z forward."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.add_subplot(xlabel="x [m]", ylabel="z [m]", aspect="equal")
    axes.plot(*evaluation.truth.positions[:, [0, 2]].T, label="truth", color="black")
    axes.plot(*evaluation.estimate.positions[:, [0, 2]].T, label="estimate", color="tab:red")
    axes.plot(0, 0, "o", color="black", markersize=4)
    axes.set_adjustable("datalim")
    axes.legend()
    _save(path, figure)


def _save(path: Path, figure: Figure) -> None:
    with atomic_path(path) as temporary:
        FigureCanvasAgg(figure).print_png(str(temporary))


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
