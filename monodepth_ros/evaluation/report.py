"""Report folders: metrics as JSON, a CSV row per image or frame, and plots."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from monodepth_ros.evaluation import report_files as files
from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation
from monodepth_ros.evaluation.depth_metrics import METRIC_NAMES
from monodepth_ros.evaluation.odometry_metrics import OdometryEvaluation
from monodepth_ros.evaluation.uncertainty.report import write_uncertainty


def write_depth_report(
    folder: Path, evaluation: DepthEvaluation, metrics: files.Metrics | None = None
) -> None:
    """metrics.json, images.csv, skipped.csv (when any was) and plots of the error per image.

    ``metrics`` go into metrics.json; by default the evaluation's summary. Where the evaluation has
    uncertainties, uncertainty.json and its plots are written as well.
    """
    files.write_json(folder / "metrics.json", metrics or evaluation.summary())
    if evaluation.uncertainties:
        write_uncertainty(folder, evaluation.uncertainties)
    files.write_csv(
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
        files.write_csv(folder / "skipped.csv", ("image", "reason"), evaluation.skipped)
    errors = {
        name: np.array([image.metrics["abs_rel"] for image in images])
        for name, images in evaluation.sequences.items()
    }
    files.save_histogram(folder / "error_histogram.png", errors, "abs_rel of an image", "images")
    files.save_lines(folder / "error_over_frames.png", errors, "image", "abs_rel")


def write_odometry_report(
    folder: Path, evaluations: Mapping[str, OdometryEvaluation], metrics: files.Metrics
) -> None:
    """metrics.json, frames.csv, sequences.csv and plots of position error and trajectory."""
    files.write_json(folder / "metrics.json", metrics)
    per_sequence = {name: vars(evaluation.errors) for name, evaluation in evaluations.items()}
    columns = list(next(iter(per_sequence.values())))
    files.write_csv(
        folder / "sequences.csv",
        ("sequence", *columns),
        ((name, *row.values()) for name, row in per_sequence.items()),
    )
    files.write_csv(
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
    files.save_histogram(folder / "error_histogram.png", errors, "position error [m]", "frames")
    files.save_lines(folder / "error_over_frames.png", errors, "common frame", "position error [m]")
    for name, evaluation in evaluations.items():
        suffix = f"_{files.file_name(name)}" if len(evaluations) > 1 else ""
        positions = {"truth": evaluation.truth.positions, "estimate": evaluation.estimate.positions}
        files.save_from_above(folder / f"trajectory{suffix}.png", positions, "m")
