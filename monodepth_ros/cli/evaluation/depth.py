"""`monodepth evaluate depth`: a model, prediction files or a constant against true depth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from monodepth_ros.cli.evaluation.inputs import (
    Data,
    Device,
    Every,
    Model,
    estimator_of,
    frames_of,
    guesses,
    open_recordings,
    predicted_disparity,
    true_half,
)
from monodepth_ros.cli.evaluation.output import Json, Out, show, tell_left_out, with_progress
from monodepth_ros.cli.options.capture import Camera, FieldOfView, capture_settings
from monodepth_ros.data.sequence import CorruptFrame, Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.constant_prediction import mean_depth_map
from monodepth_ros.evaluation.depth_evaluation import DepthPair, evaluate_depth
from monodepth_ros.evaluation.depth_files import read_depth_pairs
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    SCALINGS,
    DepthProtocol,
    depth_from_disparity,
    find_protocol,
)
from monodepth_ros.evaluation.report import write_depth_report

if TYPE_CHECKING:
    from monodepth_ros.inference.depth_estimator import DepthEstimator

Limit = Annotated[float | None, typer.Option(help="Metres, instead of the protocol's.")]


def depth(
    model: Model = None,
    data: Data = None,
    constant_from: Annotated[
        list[str] | None,
        typer.Option(help="Predict the mean depth map of these recordings instead of a model's."),
    ] = None,
    pred: Annotated[Path | None, typer.Option(help="Folder of predicted .npy or .png.")] = None,
    gt: Annotated[Path | None, typer.Option(help="Folder of true .npy or .png.")] = None,
    disparity: Annotated[
        bool, typer.Option("--disparity", help="The files of --pred hold disparity, not depth.")
    ] = False,
    protocol: Annotated[str, typer.Option(help=", ".join(PROTOCOLS))] = "plain",
    scaling: Annotated[
        str | None, typer.Option(help=f"{', '.join(SCALINGS)}; the protocol's, if not given.")
    ] = None,
    min_depth: Limit = None,
    max_depth: Limit = None,
    png_scale: Annotated[
        float | None, typer.Option(help="Units to the metre in PNG files; else the protocol's.")
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Blend with the prediction from the mirrored image.")
    ] = False,
    every: Every = 1,
    device: Device = "auto",
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Seven depth metrics of a model, of prediction files, or of the best constant prediction.

    Give --model with --data, or --constant-from with --data, or --pred with --gt.
    """
    rule = _adapted(find_protocol(protocol), scaling, min_depth, max_depth, png_scale)
    sources = [model is not None, bool(constant_from), pred is not None or gt is not None]
    guessed: dict[str, int] = {}
    if sum(sources) != 1:
        raise UserError("give one of --model (with --data), --constant-from, or --pred with --gt")
    if pred is not None or gt is not None:
        if pred is None or gt is None or data:
            raise UserError("--pred and --gt go together, without --data")
        pairs = read_depth_pairs(pred, gt, rule, disparity)
    else:
        capture = capture_settings(camera, field_of_view)
        sequences = open_recordings(data, "--data", rule.kitti_truth, capture)
        guessed = guesses(sequences)
        if model is not None:
            pairs = _model_pairs(estimator_of(model, device), sequences, every, rule, flip)
        else:
            constant = mean_depth_map(
                open_recordings(constant_from, "--constant-from", rule.kitti_truth, capture)
            )
            pairs = _constant_pairs(constant, sequences, every, rule)
    evaluation = evaluate_depth(with_progress(pairs, "depth"), rule)
    figures = {**evaluation.summary(), **guessed}
    tell_left_out(evaluation)
    if out is not None:
        write_depth_report(out, evaluation, figures)
    show(figures, json)


def _adapted(
    protocol: DepthProtocol,
    scaling: str | None,
    min_depth: float | None,
    max_depth: float | None,
    png_scale: float | None,
) -> DepthProtocol:
    """The protocol with what the user overrides; a depth limit also moves the clamp."""
    if png_scale is not None and not png_scale > 0:
        raise UserError(f"--png-scale {png_scale:g}: it must be positive")
    low, high = protocol.clamp
    return dataclasses.replace(
        protocol,
        scaling=protocol.scaling if scaling is None else scaling,
        min_depth=protocol.min_depth if min_depth is None else min_depth,
        max_depth=protocol.max_depth if max_depth is None else max_depth,
        clamp=(low if min_depth is None else min_depth, high if max_depth is None else max_depth),
        png_scale=protocol.png_scale if png_scale is None else png_scale,
    )


def _constant_pairs(
    depth: NDArray[np.floating], sequences: Iterable[Sequence], every: int, protocol: DepthProtocol
) -> Iterator[DepthPair]:
    disparity = depth_from_disparity(depth[: protocol.rows(len(depth))])
    for sequence in sequences:
        for index in frames_of(sequence, every):
            yield dataclasses.replace(true_half(sequence, index, protocol), disparity=disparity)


def _model_pairs(
    estimator: DepthEstimator,
    sequences: Iterable[Sequence],
    every: int,
    protocol: DepthProtocol,
    flip: bool,
) -> Iterator[DepthPair]:
    for sequence in sequences:
        for index in frames_of(sequence, every):
            pair = true_half(sequence, index, protocol)
            if pair.truth is None:
                yield pair
                continue
            try:
                disparity = predicted_disparity(estimator, sequence, index, protocol, flip)
            except CorruptFrame as error:
                yield dataclasses.replace(pair, truth=None, problem=str(error))
                continue
            yield dataclasses.replace(pair, disparity=disparity)
