"""How well pose and depth share one scale, as metrics, a table of images, and plots over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation import report_files as files
from monodepth_ros.evaluation.scale.consistency import (
    cross_sequence_scale_std,
    pose_depth_log_ratio,
    sequence_scale_std,
)

Scales = NDArray[np.float64]


@dataclass(frozen=True)
class SequenceScales:
    """Truth over prediction of each image of a sequence, NaN where it cannot be had.

    ``depth`` (N,) by median depths; ``pose`` by the lengths of the motion to the next image (N - 1)
    for each kind of motion, such as ``network`` and ``refined``.
    """

    depth: Scales
    pose: Mapping[str, Scales]


def scale_summary(sequences: Mapping[str, SequenceScales]) -> dict[str, float]:
    """Spread of depth's scale within and across sequences, and its agreement with each pose's.

    The metrics of the first kind of pose have plain names, the others' begin with their kind.
    UserError without any true depth.
    """
    measured = {
        name: s.depth[np.isfinite(s.depth)]
        for name, s in sequences.items()
        if np.isfinite(s.depth).any()
    }
    if not measured:
        raise UserError("the scale needs recordings with true depth")
    metrics = {
        "depth_seq_scale_std": sequence_scale_std(measured),
        "depth_cross_seq_scale_std": cross_sequence_scale_std(measured),
    }
    for number, kind in enumerate(next(iter(sequences.values())).pose):
        prefix = f"{kind}_" if number else ""
        ratio = pose_depth_log_ratio(
            np.concatenate([s.pose[kind] for s in sequences.values()]),
            np.concatenate([s.depth[:-1] for s in sequences.values()]),
        )
        for name, value in ratio._asdict().items():
            metrics[f"{prefix}pose_depth_log_ratio_{name}"] = value
    return metrics


def write_scale_report(
    folder: Path, sequences: Mapping[str, SequenceScales], metrics: files.Metrics
) -> None:
    """metrics.json, images.csv, and a plot of pose scale over depth scale for each kind of pose."""
    files.write_json(folder / "metrics.json", metrics)
    kinds = list(next(iter(sequences.values())).pose)
    files.write_csv(
        folder / "images.csv",
        ("sequence", "image", "depth_scale", *(f"{kind}_pose_scale" for kind in kinds)),
        (
            (name, index, s.depth[index], *(s.pose[kind][index] for kind in kinds))
            for name, s in sequences.items()
            for index in range(len(s.depth) - 1)
        ),
    )
    for name, s in sequences.items():
        ratios = {kind: s.pose[kind] / s.depth[:-1] for kind in kinds}
        path = folder / f"ratio_{files.file_name(name)}.png"
        files.save_lines(path, ratios, "image", "pose scale / depth scale")
