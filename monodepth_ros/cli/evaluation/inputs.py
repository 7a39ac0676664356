"""Options of evaluations, and what they name: recordings with truth, and a model's runs on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np
import typer

from monodepth_ros.cli.evaluation.output import print_skipped, with_progress
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation import predictions, recordings
from monodepth_ros.evaluation.scale_consistency import pose_scales
from monodepth_ros.evaluation.scale_report import SequenceScales
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.visual_odometry import VisualOdometry

Model = Annotated[str | None, typer.Option(help="A model's name or folder, to run on --data.")]
Data = Annotated[
    list[str] | None,
    typer.Option(
        help="Recording with ground truth; PATH@START:STOP:STEP for a part of it. Repeatable."
    ),
]
Trajectories = Mapping[str, tuple[Trajectory, Trajectory]]  # estimated and true, by sequence


def open_recordings(
    paths: list[str] | None,
    option: str,
    capture: CaptureSettings,
    kitti_truth: Literal["velodyne", "improved"] = "velodyne",
) -> list[Sequence]:
    """The recordings of an option; UserError where it is missing."""
    if not paths:
        raise UserError(f"{option} is missing: the recordings to evaluate on")
    return recordings.open_recordings(paths, kitti_truth, capture)


def model_trajectories(
    engine: Engine, sequences: Iterable[Sequence], every: int, refine: bool = False
) -> Trajectories:
    """The model's trajectory of each sequence and the true one; says what was left out."""
    found = {}
    for sequence in sequences:
        odometry = VisualOdometry(engine, refine=refine)
        frames = with_progress(recordings.frames_of(sequence, every), "odometry")
        skipped: list[tuple[str, str]] = []
        try:
            found[sequence.name] = predictions.model_trajectories(
                odometry, sequence, frames, skipped
            )
        finally:
            print_skipped(skipped, "frames")
    return found


def model_scales(
    engine: Engine,
    sequences: Iterable[Sequence],
    trajectories: Mapping[str, Trajectories],
    min_motion: float,
) -> dict[str, SequenceScales]:
    """The scales of each sequence by name; ``trajectories`` by kind of motion."""
    estimator, found = DepthEstimator(engine, output_size="network"), {}
    for sequence in sequences:
        by_kind = {kind: pairs[sequence.name] for kind, pairs in trajectories.items()}
        _, truth = next(iter(by_kind.values()))
        frames = with_progress(map(int, truth.keys), "scale", len(truth))
        found[sequence.name] = SequenceScales(
            np.array([predictions.depth_ratio(estimator, sequence, index) for index in frames]),
            {
                kind: pose_scales(estimate.poses, truth.poses, min_motion)
                for kind, (estimate, truth) in by_kind.items()
            },
        )
    return found
