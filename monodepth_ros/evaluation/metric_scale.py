"""Depth in metres by what a robot knows, without a look at the truth, beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from collections.abc import Sequence as ListOf

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation, DepthPair, compare
from monodepth_ros.evaluation.depth_protocol import DepthProtocol
from monodepth_ros.evaluation.recordings import frames_of, stamps_or_assumed, true_half
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.scale.recorded import POINTS, RecordedScale, RecordedSource


def metric_pairs(
    estimator: DepthEstimator,
    sequences: ListOf[Sequence],
    every: int,
    protocol: DepthProtocol,
    source: RecordedSource,
    points: int = POINTS,
) -> Iterator[DepthPair]:
    """The model's depth in metres of frames that have a truth, in their order.

    The scale follows from all frames before, and from the frame itself. A frame before the scale is
    known is a pair with a problem. UserError for a recording without what the source needs.
    """
    for sequence in sequences:
        if source == "odometry" and not sequence.states_poses:
            raise UserError(f"{sequence.name}: it has no poses, which --scale odometry needs")
        scale = RecordedScale(source, estimator.card.unknown_shift, points)
        times = stamps_or_assumed(sequence)
        wanted = set(frames_of(sequence, every))
        for index in range(len(sequence)):
            half = true_half(sequence, index, protocol)
            pair = _pair(estimator, sequence, index, times[index], scale, half)
            if index in wanted:
                yield pair


def _pair(
    estimator: DepthEstimator,
    sequence: Sequence,
    index: int,
    stamp: int | None,
    scale: RecordedScale,
    half: DepthPair,
) -> DepthPair:
    if stamp is None:
        return dataclasses.replace(half, truth=None, problem="no stamp")
    try:
        rgb = sequence.image(index)
    except CorruptFrame as error:
        return dataclasses.replace(half, truth=None, problem=str(error))
    seen = estimator.estimate(rgb, sequence.camera)
    depth = sequence.depth(index) if scale.source == "points" else None
    pose = sequence.pose(index)
    metres = scale.add(rgb, sequence.camera, stamp, seen.disparity, pose, depth)
    if half.truth is None:
        return half
    if metres is None:
        return dataclasses.replace(half, problem=f"no metres: {scale.missing}")
    return dataclasses.replace(half, disparity=seen.in_metres(metres).disparity)


def evaluate_in_metres(
    pairs: Iterable[DepthPair], protocol: DepthProtocol
) -> tuple[DepthEvaluation, dict[str, float]]:
    """The depths as they are, and what the protocol's alignment to the truth would have made.

    That is ``abs_rel_aligned``, and how many times it the error in metres is.
    """
    metric, aligned = DepthEvaluation(protocol.adapted("none")), DepthEvaluation(protocol)
    for pair in pairs:
        metric.add(compare(pair, metric.protocol))
        aligned.add(compare(pair, aligned.protocol))
    summary, best = metric.summary(), aligned.summary()["abs_rel"]
    return metric, {**summary, "abs_rel_aligned": best, "times_aligned": summary["abs_rel"] / best}
