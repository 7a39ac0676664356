"""`monodepth evaluate depth`: a model, prediction files or a constant against true depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.cli.evaluation import inputs
from monodepth_ros.cli.evaluation.output import Json, Out, print_left_out, show
from monodepth_ros.cli.options.model import Background, Device, EngineName, Precision, Threads
from monodepth_ros.cli.options.recordings import Camera, Every, FieldOfView, capture_settings
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair, evaluate_depth_shared
from monodepth_ros.evaluation.depth_files import read_depth_pairs
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    SCALINGS,
    DepthProtocol,
    find_protocol,
)
from monodepth_ros.evaluation.mean_maps import mean_depth_map
from monodepth_ros.evaluation.metric_scale import evaluate_in_metres, metric_pairs
from monodepth_ros.evaluation.predictions import constant_pairs, model_pairs
from monodepth_ros.evaluation.recordings import guessed_cameras
from monodepth_ros.evaluation.report import write_depth_report
from monodepth_ros.evaluation.uncertainty.summary import ranges
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.scale.recorded import POINTS, RecordedSource
from monodepth_ros.progress import count_frames, plain_console
from monodepth_ros.shared_work import SharedWork

Limit = Annotated[float | None, typer.Option(help="Metres; default: the protocol's.")]


def depth(
    model: inputs.Model = None,
    data: inputs.Data = None,
    constant_from: Annotated[
        list[str] | None,
        typer.Option(help="Predict the mean depth map of these recordings, without a model."),
    ] = None,
    pred: Annotated[Path | None, typer.Option(help="Folder of predicted .npy or .png.")] = None,
    gt: Annotated[Path | None, typer.Option(help="Folder of true .npy or .png.")] = None,
    disparity: Annotated[
        bool, typer.Option("--disparity", help="The files of --pred hold disparity, not depth.")
    ] = False,
    protocol: Annotated[str, typer.Option(help=", ".join(PROTOCOLS))] = "plain",
    scaling: Annotated[
        str | None, typer.Option(help=f"{', '.join(SCALINGS)}; default: the protocol's.")
    ] = None,
    min_depth: Limit = None,
    max_depth: Limit = None,
    png_scale: Annotated[
        float | None, typer.Option(help="Units per metre in PNG files; default: the protocol's.")
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Blend with the prediction from the mirrored image.")
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option("--uncertainty", help="Also evaluate confidence and standard deviation."),
    ] = False,
    scale: Annotated[
        RecordedSource | None,
        typer.Option(
            help="Depth in metres without a look at the truth: by the recording's poses, taken for"
            " odometry, or by some points of its depth."
        ),
    ] = None,
    points: Annotated[
        int, typer.Option(min=8, help="How many points of each frame, with --scale points.")
    ] = POINTS,
    every: Every = 1,
    background: Background = "keep",
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "fp32",
    threads: Threads = 0,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Seven depth metrics of a model, of prediction files, or of the best constant prediction.

    Give --model with --data, or --constant-from with --data, or --pred with --gt. With --out,
    several processes share the work under torchrun, and an interrupted evaluation is gone on with.
    --uncertainty says whether confidence tells where depth errs (docs/confidence.md); files of
    --pred need NAME_confidence.npy or NAME_stddev.npy beside NAME.npy. --scale says how good metres
    are that come as they do live (docs/odometry.md).
    """
    if png_scale is not None and not png_scale > 0:
        raise UserError(f"--png-scale {png_scale:g}: it must be positive")
    rule = find_protocol(protocol).adapted(scaling, min_depth, max_depth, png_scale)
    if scale is not None and model is None:
        raise UserError("--scale needs --model")
    sources = [model is not None, bool(constant_from), pred is not None or gt is not None]
    guessed: dict[str, int] = {}
    work = SharedWork(None if out is None else out / ".evaluate", "images")
    if sum(sources) != 1:
        raise UserError("give one of --model (with --data), --constant-from, or --pred with --gt")
    if pred is not None or gt is not None:
        if pred is None or gt is None or data:
            raise UserError("--pred and --gt go together, without --data")
        source = read_depth_pairs(pred, gt, rule, disparity, uncertainty)
    else:
        capture = capture_settings(camera, field_of_view)
        sequences = inputs.open_recordings(data, "--data", capture, rule.kitti_truth)
        guessed = guessed_cameras(sequences)
        if model is not None:
            loaded = load_engine(model, engine, device, precision, threads=threads)
            estimator = DepthEstimator(loaded, output_size="network", background=background)
            if scaling is None and estimator.card.unknown_shift:
                rule = rule.suited_to(estimator.card.ambiguity)
            if scale is not None:
                if flip or uncertainty or scaling is not None:
                    raise UserError("--scale goes without --flip, --uncertainty and --scaling")
                pairs = metric_pairs(estimator, sequences, every, rule, scale, points)
                _tell_metres(pairs, rule, guessed, out, json)
                return
            source = model_pairs(estimator, sequences, every, rule, flip, uncertainty)
        elif uncertainty:
            raise UserError("--uncertainty needs --model or --pred: a constant says nothing of it")
        else:
            constant = mean_depth_map(
                inputs.open_recordings(constant_from, "--constant-from", capture, rule.kitti_truth)
            )
            source = constant_pairs(constant, sequences, every, rule)
    console = plain_console(work.silent)
    with count_frames(console, "depth", len(source.items)) as advance:
        evaluation = evaluate_depth_shared(source, rule, work, advance)
    if evaluation is None:
        return
    metrics = {**evaluation.summary(), **guessed}
    print_left_out(evaluation)
    if out is not None:
        write_depth_report(out, evaluation, metrics)
    work.forget()
    by_range = ranges(evaluation.uncertainties)
    show({**metrics, **({"ranges": by_range} if by_range else {})}, json)


def _tell_metres(
    pairs: Iterable[DepthPair],
    rule: DepthProtocol,
    more: Mapping[str, int],
    out: Path | None,
    json: bool,
) -> None:
    evaluation, metrics = evaluate_in_metres(pairs, rule)
    print_left_out(evaluation)
    if out is not None:
        write_depth_report(out, evaluation, metrics)
    show({**metrics, **more}, json)
