"""`monodepth evaluate scale`: whether a model's depth and motion share one scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from monodepth_ros.cli.evaluation.inputs import (
    Data,
    Device,
    Every,
    Model,
    estimator_of,
    guesses,
    model_trajectories,
    open_recordings,
    predicted_disparity,
    true_half,
)
from monodepth_ros.cli.evaluation.output import Json, Out, show, with_progress
from monodepth_ros.cli.options.capture import Camera, FieldOfView, capture_settings
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import median_ratio, valid_pixels
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    DepthProtocol,
    depth_from_disparity,
    resize_disparity,
)
from monodepth_ros.evaluation.scale_consistency import MIN_MOTION_M, pose_scales
from monodepth_ros.evaluation.scale_report import (
    SequenceScales,
    scale_summary,
    write_scale_report,
)
from monodepth_ros.evaluation.trajectory import Trajectory

if TYPE_CHECKING:
    from monodepth_ros.inference.depth_estimator import DepthEstimator

MinMotion = Annotated[
    float, typer.Option(min=0, help="Metres of true motion that a pose scale is taken from.")
]
Trajectories = Mapping[str, tuple[Trajectory, Trajectory]]


def scale(
    model: Model = None,
    data: Data = None,
    refined: Annotated[
        bool, typer.Option(help="Also of motions that are aligned to depth.")
    ] = True,
    min_motion: MinMotion = MIN_MOTION_M,
    every: Every = 1,
    device: Device = "auto",
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """How steady the scale of depth is, and how well the pose network's agrees with it.

    With refined motions beside those of the network: what alignment to depth does to the scale.
    """
    if model is None:
        raise UserError("--model is missing: whose scale is to be measured")
    sequences = open_recordings(data, "--data", capture=capture_settings(camera, field_of_view))
    kinds = {"network": False, "refined": True} if refined else {"network": False}
    trajectories = {
        kind: {s.name: model_trajectories(model, s, every, device, refine) for s in sequences}
        for kind, refine in kinds.items()
    }
    scales = sequence_scales(estimator_of(model, device), sequences, trajectories, min_motion)
    figures = {**scale_summary(scales), **guesses(sequences)}
    if out is not None:
        write_scale_report(out, scales, figures)
    show(figures, json)


def sequence_scales(
    estimator: DepthEstimator,
    sequences: Iterable[Sequence],
    trajectories: Mapping[str, Trajectories],
    min_motion: float,
) -> dict[str, SequenceScales]:
    """The scales of each sequence by name; ``trajectories`` by kind of motion, then by name."""
    plain = PROTOCOLS["plain"]
    scales = {}
    for sequence in sequences:
        by_kind = {kind: pairs[sequence.name] for kind, pairs in trajectories.items()}
        keys = next(iter(by_kind.values()))[1].keys
        ratios = [
            _depth_ratio(estimator, sequence, int(key), plain)
            for key in with_progress(keys, "scale")
        ]
        scales[sequence.name] = SequenceScales(
            np.array(ratios),
            {
                kind: pose_scales(estimate.poses, truth.poses, min_motion)
                for kind, (estimate, truth) in by_kind.items()
            },
        )
    return scales


def _depth_ratio(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol
) -> float:
    """median(truth) / median(prediction) of one frame, NaN where it cannot be had."""
    truth = true_half(sequence, index, protocol).truth
    if truth is None:
        return np.nan
    disparity = predicted_disparity(estimator, sequence, index, protocol, flip=False)
    prediction = depth_from_disparity(resize_disparity(disparity, *truth.shape))
    valid = valid_pixels(prediction, truth, protocol.min_depth, protocol.max_depth)
    return median_ratio(prediction[valid], truth[valid]) if valid.any() else np.nan
