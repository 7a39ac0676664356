"""What a model, or the best constant, says of recordings, beside their truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    DepthProtocol,
    blend_flipped,
    depth_from_disparity,
    evaluate_image,
)
from monodepth_ros.evaluation.recordings import frames_of, true_half
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.visual_odometry import VisualOdometry


def constant_pairs(
    depth: NDArray[np.floating], sequences: Iterable[Sequence], every: int, protocol: DepthProtocol
) -> Iterator[DepthPair]:
    """One depth map as the prediction of every frame."""
    disparity = depth_from_disparity(depth[: protocol.rows(len(depth))])
    for sequence in sequences:
        for index in frames_of(sequence, every):
            yield dataclasses.replace(true_half(sequence, index, protocol), disparity=disparity)


def model_pairs(
    estimator: DepthEstimator,
    sequences: Iterable[Sequence],
    every: int,
    protocol: DepthProtocol,
    flip: bool,
) -> Iterator[DepthPair]:
    """The model's depth of every frame that has a truth."""
    for sequence in sequences:
        for index in frames_of(sequence, every):
            pair = true_half(sequence, index, protocol)
            try:
                if pair.truth is not None:
                    disparity = predicted_disparity(estimator, sequence, index, protocol, flip)
                    pair = dataclasses.replace(pair, disparity=disparity)
            except CorruptFrame as error:
                pair = dataclasses.replace(pair, truth=None, problem=str(error))
            yield pair


def predicted_disparity(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol, flip: bool
) -> NDArray[np.floating]:
    """1/depth of one frame at the estimator's size; with ``flip`` blended with the mirrored one."""
    rgb, camera = sequence.image(index), sequence.camera
    rows = protocol.rows(len(rgb))
    if rows < len(rgb):
        rgb, camera = rgb[:rows], camera.cropped(0, 0, rows, camera.width)
    disparity = estimator.estimate(rgb, camera).disparity
    if not flip:
        return disparity
    mirrored = estimator.estimate(np.ascontiguousarray(rgb[:, ::-1]), camera.flipped())
    return blend_flipped(disparity, mirrored.disparity[:, ::-1])


def model_trajectories(
    odometry: VisualOdometry,
    sequence: Sequence,
    frames: Iterable[int],
    skipped: list[tuple[str, str]],
) -> tuple[Trajectory, Trajectory]:
    """The model's trajectory and the true one.

    Frames without image or true pose are left out; ``skipped`` gets their names and the reasons.
    UserError where fewer than two are left.
    """
    keys: list[int] = []
    estimate, truth = [], []
    for index in frames:
        pose = sequence.pose(index)
        try:
            if pose is None:
                raise CorruptFrame(sequence.frame_name(index), "no true pose")
            image = sequence.image(index)
        except CorruptFrame as error:
            skipped.append((sequence.frame_name(index), error.reason))
            continue
        estimate.append(odometry.add(image, sequence.camera))
        truth.append(pose)
        keys.append(index)
    if len(keys) < 2:
        raise UserError(f"{sequence.name}: {len(keys)} frames with image and true pose, 2 needed")
    numbers = np.array(keys, np.float64)
    return (
        Trajectory(numbers, np.stack(estimate), f"the estimate for {sequence.name}"),
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
