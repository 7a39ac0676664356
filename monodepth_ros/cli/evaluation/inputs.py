"""Options of evaluations, and what they name: recordings with truth, and a model's runs on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as ListOf
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import typer

from monodepth_ros.cli.evaluation.output import print_skipped, with_progress
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError, printable
from monodepth_ros.evaluation import predictions, recordings
from monodepth_ros.evaluation.predictions import trajectory_pair
from monodepth_ros.evaluation.recordings import frames_of, state_of
from monodepth_ros.evaluation.scale.consistency import pose_scales
from monodepth_ros.evaluation.scale.report import SequenceScales
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.visual_odometry import VisualOdometry
from monodepth_ros.shared_work import SharedWork, key_of

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
    engine: Engine,
    sequences: ListOf[Sequence],
    every: int,
    methods: Mapping[str, str],
    work: SharedWork,
) -> dict[str, Trajectories] | None:
    """By the keys of ``methods`` the model's trajectory of each sequence and the true one.

    Says what was left out. None in a process that does not join the results.
    """
    asked = (engine.card.content(), engine.describe()["engine"], engine.precision, engine.size)
    parts = {
        key_of(asked, every, method, [] if work.in_memory else state_of(sequence), number): (
            method,
            sequence,
        )
        for method in methods.values()
        for number, sequence in enumerate(sequences)
    }

    def estimated(todo: list[tuple[str, Sequence]]) -> Iterator[dict[str, list[Any]]]:
        for method, sequence in todo:
            frames, found = frames_of(sequence, every), _Estimate([], [], [], [])
            odometry = VisualOdometry(engine, method=method)
            poses = predictions.estimated_poses(odometry, sequence, frames)
            for outcome in with_progress(poses, "odometry", len(frames), work.silent):
                found.add(outcome)
            yield asdict(found)

    results = work.results(parts, estimated, lambda part: len(frames_of(part[1], every)))
    if results is None:
        return None
    trajectories: dict[str, Trajectories] = {}
    estimates = iter(results)
    for kind in methods:
        of_kind: dict[str, tuple[Trajectory, Trajectory]] = {}
        trajectories[kind] = of_kind
        for sequence in sequences:
            found = _Estimate(**next(estimates))
            print_skipped([(name, reason) for name, reason in found.skipped], "frames")
            of_kind[sequence.name] = trajectory_pair(
                sequence, found.frames, found.poses, found.covariances
            )
    return trajectories


@dataclass(frozen=True)
class _Estimate:
    """The poses of a sequence's frames, as JSON holds them, and the frames skipped and why."""

    frames: list[int]
    poses: list[list[list[float]]]
    covariances: list[list[list[float]] | None]
    skipped: list[tuple[str, str]]

    def add(self, outcome: predictions.EstimatedPose | CorruptFrame) -> None:
        if isinstance(outcome, CorruptFrame):
            self.skipped.append((printable(outcome.path), outcome.reason))
        else:
            frame, pose, covariance = outcome
            self.frames.append(frame)
            self.poses.append(pose.tolist())
            self.covariances.append(None if covariance is None else covariance.tolist())


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
