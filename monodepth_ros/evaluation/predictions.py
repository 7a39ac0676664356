"""What a model, or the best constant, says of recordings, beside their truth."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Generator, Iterable, Iterator
from collections.abc import Sequence as ListOf
from contextlib import closing
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair, PairSource
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    DepthProtocol,
    blend_flipped,
    depth_from_disparity,
    evaluate_image,
)
from monodepth_ros.evaluation.recordings import frames_of, state_of, true_half
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.evaluation.uncertainty.image import UncertaintyMaps
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import (
    DepthEstimator,
    DepthPrediction,
    DepthRequest,
)
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.odometry.visual_odometry import VisualOdometry
from monodepth_ros.overlap import in_background

_Item = tuple[Sequence, int]  # a recording, and the number of a frame in it
_Seen = tuple[Rgb, PinholeCamera]


def constant_pairs(
    depth: NDArray[np.floating], sequences: ListOf[Sequence], every: int, protocol: DepthProtocol
) -> PairSource:
    """One depth map as the prediction of every frame."""
    disparity = depth_from_disparity(depth[: protocol.rows(len(depth))])

    def pair(item: _Item) -> DepthPair:
        return dataclasses.replace(true_half(*item, protocol), disparity=disparity)

    digest = hashlib.sha256(disparity.tobytes()).hexdigest()
    return PairSource(
        _items(sequences, every),
        lambda items: in_background(map(pair, items)),
        lambda: (digest, every, [*map(state_of, sequences)]),
    )


def model_pairs(
    estimator: DepthEstimator,
    sequences: ListOf[Sequence],
    every: int,
    protocol: DepthProtocol,
    flip: bool,
    uncertainty: bool = False,
) -> PairSource:
    """The model's depth of every frame that has a truth, with ``uncertainty`` also its maps."""

    def pairs(items: Iterable[_Item]) -> Iterator[DepthPair]:
        read = (_read(*item, protocol) for item in items)
        with closing(in_background(read, ahead=2 * estimator.batch_size)) as halves:
            while batch := list(islice(halves, estimator.batch_size)):
                found = iter(_predictions(estimator, [s for _, s in batch if s], flip, uncertainty))
                for half, seen in batch:
                    yield dataclasses.replace(half, **next(found)) if seen else half

    engine = estimator.engine.describe()["engine"]
    seen = (estimator.size, every, flip, uncertainty, estimator.background)
    asked = (engine, estimator.engine.precision, *seen)
    return PairSource(
        _items(sequences, every),
        pairs,
        lambda: (estimator.card.content(), asked, [*map(state_of, sequences)]),
    )


def _items(sequences: Iterable[Sequence], every: int) -> list[_Item]:
    return [(sequence, index) for sequence in sequences for index in frames_of(sequence, every)]


def _read(
    sequence: Sequence, index: int, protocol: DepthProtocol
) -> tuple[DepthPair, _Seen | None]:
    """The true half of a pair, and the image and its camera where there is a truth."""
    pair = true_half(sequence, index, protocol)
    if pair.truth is None:
        return pair, None
    try:
        return pair, _seen(sequence, index, protocol)
    except CorruptFrame as error:
        return dataclasses.replace(pair, truth=None, problem=str(error)), None


def _seen(sequence: Sequence, index: int, protocol: DepthProtocol) -> _Seen:
    rgb, camera = sequence.image(index), sequence.camera
    rows = protocol.rows(len(rgb))
    if rows < len(rgb):
        rgb, camera = rgb[:rows], camera.cropped(0, 0, rows, camera.width)
    return rgb, camera


def predicted_disparity(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol, flip: bool
) -> NDArray[np.floating]:
    """1/depth of one frame at the estimator's size; with ``flip`` blended with the mirrored one."""
    found = _predictions(estimator, [_seen(sequence, index, protocol)], flip)
    return np.asarray(found[0]["disparity"])


def maps_of(prediction: DepthPrediction) -> UncertaintyMaps:
    """What a prediction says of its error."""
    stddev = prediction.stddev
    relative = None if stddev is None else stddev * prediction.disparity
    return UncertaintyMaps(prediction.confidence, relative)


def _predictions(
    estimator: DepthEstimator, seen: ListOf[_Seen], flip: bool, uncertainty: bool = False
) -> list[dict[str, Any]]:
    """1/depth at the estimator's size; with ``flip`` blended with that of the mirrored image.

    By the names of `DepthPair`. Its ``maps`` are those of the image that is not mirrored.
    """
    requests = [DepthRequest(rgb, camera, uncertainty) for rgb, camera in seen]
    if flip:
        requests += [
            DepthRequest(np.ascontiguousarray(rgb[:, ::-1]), camera.flipped())
            for rgb, camera in seen
        ]
    found: list[DepthPrediction] = []
    for start in range(0, len(requests), estimator.batch_size):
        found += estimator.estimate_batch(requests[start : start + estimator.batch_size])
    disparities: list[NDArray[np.floating]] = [each.disparity for each in found[: len(seen)]]
    if flip:
        disparities = [
            blend_flipped(disparity, mirrored.disparity[:, ::-1])
            for disparity, mirrored in zip(disparities, found[len(seen) :], strict=True)
        ]
    maps = [maps_of(each) if uncertainty else None for each in found[: len(seen)]]
    return [
        {"disparity": disparity, "maps": of_image}
        for disparity, of_image in zip(disparities, maps, strict=True)
    ]


EstimatedPose = tuple[int, NDArray[np.float64], NDArray[np.float64] | None]


def estimated_poses(
    odometry: VisualOdometry, sequence: Sequence, frames: Iterable[int]
) -> Generator[EstimatedPose | CorruptFrame, None, None]:
    """Each frame with the model's pose and its covariance, if it states one, read ahead.

    Of a frame without image or true pose its error.
    """

    def read(index: int) -> tuple[int, Rgb] | CorruptFrame:
        name = sequence.frame_name(index)
        if sequence.pose(index) is None:
            return CorruptFrame(name, "no true pose")
        try:
            return index, sequence.image(index)
        except CorruptFrame as error:
            return CorruptFrame(name, error.reason)

    with closing(in_background(map(read, frames))) as images:
        for image in images:
            if isinstance(image, CorruptFrame):
                yield image
            else:
                pose = odometry.add(image[1], sequence.camera)
                yield image[0], pose, odometry.covariance


def trajectory_pair(
    sequence: Sequence,
    frames: ListOf[int],
    poses: ListOf[object],
    covariances: ListOf[object | None] = (),
) -> tuple[Trajectory, Trajectory]:
    """The model's trajectory, by its ``poses`` (4x4) of ``frames``, and the true one.

    ``covariances`` (6x6) belong to the poses, and are left out if one is None. UserError for fewer
    than two frames.
    """
    if len(frames) < 2:
        raise UserError(f"{sequence.name}: {len(frames)} frames with image and true pose, 2 needed")
    numbers = np.array(frames, np.float64)
    truth = [pose for frame in frames if (pose := sequence.pose(frame)) is not None]
    estimate = Trajectory(numbers, np.array(poses, np.float64), f"the estimate for {sequence.name}")
    if covariances and all(covariance is not None for covariance in covariances):
        estimate = dataclasses.replace(estimate, covariances=np.array(covariances, np.float64))
    return (
        estimate,
        Trajectory(numbers, np.stack(truth), f"the truth of {sequence.name}"),
    )


def depth_ratio(estimator: DepthEstimator, sequence: Sequence, index: int) -> float:
    """median(truth) / median(prediction) of one frame, NaN where it cannot be had."""
    protocol = PROTOCOLS["plain"]
    truth = true_half(sequence, index, protocol).truth
    if truth is None:
        return np.nan
    disparity = predicted_disparity(estimator, sequence, index, protocol, flip=False)
    compared = evaluate_image(disparity, truth, protocol)
    return np.nan if compared is None else compared.ratio
