"""Report folders: metrics as JSON, a CSV row per image or frame, and plots."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation
from monodepth_ros.evaluation.depth_metrics import METRIC_NAMES
from monodepth_ros.evaluation.odometry_metrics import OdometryEvaluation
from monodepth_ros.evaluation.report_files import (
    Metrics,
    file_name,
    save_from_above,
    save_histogram,
    save_lines,
    to_json,
    write_csv,
    write_text,
)


def write_depth_report(
    folder: str | Path, evaluation: DepthEvaluation, metrics: Metrics | None = None
) -> None:
    """metrics.json, images.csv, skipped.csv (when any was) and plots of the error per image.

    ``metrics`` go into metrics.json; by default the evaluation's summary.
    """
    folder = Path(folder)
    write_text(folder / "metrics.json", to_json(metrics or evaluation.summary()) + "\n")
    write_csv(
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
        write_csv(folder / "skipped.csv", ("image", "reason"), evaluation.skipped)
    errors = {
        name: np.array([image.metrics["abs_rel"] for image in images])
        for name, images in evaluation.sequences.items()
    }
    save_histogram(folder / "error_histogram.png", errors, "abs_rel of an image", "images")
    save_lines(folder / "error_over_frames.png", errors, "image", "abs_rel")


def write_odometry_report(
    folder: str | Path, evaluations: Mapping[str, OdometryEvaluation], metrics: Metrics
) -> None:
    """metrics.json, frames.csv, sequences.csv and plots of position error and trajectory."""
    folder = Path(folder)
    write_text(folder / "metrics.json", to_json(metrics) + "\n")
    per_sequence = {name: vars(evaluation.errors) for name, evaluation in evaluations.items()}
    columns = list(next(iter(per_sequence.values())))
    write_csv(
        folder / "sequences.csv",
        ("sequence", *columns),
        ((name, *row.values()) for name, row in per_sequence.items()),
    )
    write_csv(
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
    save_histogram(folder / "error_histogram.png", errors, "position error [m]", "frames")
    save_lines(folder / "error_over_frames.png", errors, "common frame", "position error [m]")
    for name, evaluation in evaluations.items():
        suffix = f"_{file_name(name)}" if len(evaluations) > 1 else ""
        positions = {"truth": evaluation.truth.positions, "estimate": evaluation.estimate.positions}
        save_from_above(folder / f"trajectory{suffix}.png", positions, "m")
