"""`monodepth evaluate depth|odometry`: a model, prediction files or trajectories against truth."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from monodepth_ros.data.resize import resize_image
from monodepth_ros.data.sequence import CorruptFrame, Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.alignment import ALIGNMENTS
from monodepth_ros.evaluation.constant_prediction import mean_depth_map
from monodepth_ros.evaluation.depth_evaluation import DepthEvaluation, DepthPair, evaluate_depth
from monodepth_ros.evaluation.depth_files import read_depth_pairs
from monodepth_ros.evaluation.depth_metrics import median_ratio, valid_pixels
from monodepth_ros.evaluation.depth_protocol import (
    PROTOCOLS,
    SCALINGS,
    DepthProtocol,
    blend_flipped,
    depth_from_disparity,
    find_protocol,
    resize_disparity,
)
from monodepth_ros.evaluation.odometry_metrics import OdometryEvaluation, evaluate_odometry
from monodepth_ros.evaluation.rectified_sequence import rectified
from monodepth_ros.evaluation.report import to_json, write_depth_report, write_odometry_report
from monodepth_ros.evaluation.scale_consistency import (
    MIN_MOTION_M,
    pose_depth_log_ratio,
    pose_scales,
    sequence_scale_std,
)
from monodepth_ros.evaluation.trajectory import FORMATS, Trajectory, read_trajectory

if TYPE_CHECKING:
    from monodepth_ros.inference.depth_estimator import DepthEstimator

T = TypeVar("T")
NAMED_SKIPS = 10  # the rest is counted, and listed in the report folder

evaluate = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Measure depth or odometry against the truth."
)

Model = Annotated[str | None, typer.Option(help="A model's name or folder, to run on --data.")]
Data = Annotated[
    list[str] | None,
    typer.Option(help="Recording with truth; PATH@START:STOP:STEP for a part of it. Repeatable."),
]
Every = Annotated[int, typer.Option(min=1, help="Use every N-th frame of --data.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
Out = Annotated[Path | None, typer.Option(help="Folder for figures, CSV tables and plots.")]
Limit = Annotated[float | None, typer.Option(help="Metres, instead of the protocol's.")]
Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


@evaluate.command()
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
    out: Out = None,
    json: Json = False,
) -> None:
    """Seven depth metrics of a model, of prediction files, or of the best constant prediction.

    Give --model with --data, or --constant-from with --data, or --pred with --gt.
    """
    rule = _adapted(find_protocol(protocol), scaling, min_depth, max_depth, png_scale)
    sources = [model is not None, bool(constant_from), pred is not None or gt is not None]
    if sum(sources) != 1:
        raise UserError("give one of --model (with --data), --constant-from, or --pred with --gt")
    if pred is not None or gt is not None:
        if pred is None or gt is None or data:
            raise UserError("--pred and --gt go together, without --data")
        pairs = read_depth_pairs(pred, gt, rule, disparity)
    else:
        sequences = _open_all(data, "--data", rule.kitti_truth)
        if model is not None:
            pairs = _model_pairs(_estimator(model, device), sequences, every, rule, flip)
        else:
            constant = mean_depth_map(_open_all(constant_from, "--constant-from", rule.kitti_truth))
            pairs = _constant_pairs(constant, sequences, every, rule)
    evaluation = evaluate_depth(_with_progress(pairs, "depth"), rule)
    summary = evaluation.summary()
    _tell_left_out(evaluation)
    if out is not None:
        write_depth_report(out, evaluation)
    _show(summary, json)


@evaluate.command()
def odometry(
    est: Annotated[Path | None, typer.Option(help="Estimated trajectory.")] = None,
    gt: Annotated[Path | None, typer.Option(help="True trajectory.")] = None,
    format: Annotated[str, typer.Option(help=f"Of --est and --gt: {', '.join(FORMATS)}")] = "kitti",
    model: Model = None,
    data: Data = None,
    align: Annotated[str, typer.Option(help=", ".join(ALIGNMENTS))] = "7dof",
    max_stamp_difference: Annotated[
        float, typer.Option(min=0, help="Seconds between stamps of a pair (tum).")
    ] = 0.02,
    scale: Annotated[
        bool,
        typer.Option("--scale", help="With --model: also how well depth and pose share one scale."),
    ] = False,
    min_motion: Annotated[
        float, typer.Option(min=0, help="Metres of true motion that a pose scale is taken from.")
    ] = MIN_MOTION_M,
    every: Every = 1,
    device: Device = "auto",
    out: Out = None,
    json: Json = False,
) -> None:
    """Drift, ATE and RPE of a trajectory file, or of a model over recordings with true poses.

    Give --est with --gt, or --model with --data. Several recordings: the mean over them.
    """
    if align not in ALIGNMENTS:
        raise UserError(f"unknown alignment '{align}': use one of {', '.join(ALIGNMENTS)}")
    figures: dict[str, float] = {}
    if est is not None and gt is not None and model is None and not data and not scale:
        estimate, truth = read_trajectory(est, format), read_trajectory(gt, format)
        evaluations = {
            est.stem: evaluate_odometry(estimate, truth, format, align, max_stamp_difference)
        }
    elif model is not None and est is None and gt is None:
        sequences = _open_all(data, "--data")
        pairs = {s.name: _model_trajectories(model, s, every, device) for s in sequences}
        evaluations = {
            name: evaluate_odometry(estimate, truth, "kitti", align)
            for name, (estimate, truth) in pairs.items()
        }
        if scale:
            figures = _scale_figures(_estimator(model, device), sequences, pairs, min_motion)
    else:
        raise UserError("give --est with --gt, or --model with --data (and --scale if wanted)")
    figures = {**_mean_errors(evaluations.values()), **figures}
    if out is not None:
        write_odometry_report(out, evaluations, figures)
    _show(figures, json)


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


def _open_all(
    paths: list[str] | None, option: str, kitti_truth: Literal["velodyne", "improved"] = "velodyne"
) -> list[Sequence]:
    from monodepth_ros.data.open_sequence import open_sequence

    if not paths:
        raise UserError(f"{option} is missing: the recordings to evaluate on")
    sequences = [
        rectified(sequence) for path in paths for sequence in open_sequence(path, kitti_truth)
    ]
    seen: Counter[str] = Counter()
    for sequence in sequences:  # tables and plots are keyed by the name
        seen[sequence.name] += 1
        if seen[sequence.name] > 1:
            sequence.name = f"{sequence.name} ({seen[sequence.name]})"
    return sequences


def _estimator(model: str, device: str) -> DepthEstimator:
    from monodepth_ros.inference.depth_estimator import DepthEstimator

    return DepthEstimator(model, device=device, output_size="network")


def _frames(sequence: Sequence, every: int) -> list[int]:
    return list(sequence.targets)[::every]


def _truth(sequence: Sequence, index: int, protocol: DepthProtocol) -> DepthPair:
    """The true half of a pair, or the reason why there is none."""
    name = f"{sequence.name}/{sequence.frame_name(index)}"
    try:
        truth = sequence.depth(index)
    except CorruptFrame as error:
        return DepthPair(sequence.name, name, problem=str(error))
    if truth is None:
        return DepthPair(sequence.name, name, problem="no true depth")
    return DepthPair(sequence.name, name, truth=truth[: protocol.rows(len(truth))])


def _constant_pairs(
    depth: NDArray[np.floating], sequences: Iterable[Sequence], every: int, protocol: DepthProtocol
) -> Iterator[DepthPair]:
    disparity = depth_from_disparity(depth[: protocol.rows(len(depth))])
    for sequence in sequences:
        for index in _frames(sequence, every):
            yield dataclasses.replace(_truth(sequence, index, protocol), disparity=disparity)


def _model_pairs(
    estimator: DepthEstimator,
    sequences: Iterable[Sequence],
    every: int,
    protocol: DepthProtocol,
    flip: bool,
) -> Iterator[DepthPair]:
    for sequence in sequences:
        for index in _frames(sequence, every):
            pair = _truth(sequence, index, protocol)
            if pair.truth is None:
                yield pair
                continue
            try:
                disparity = _predict(estimator, sequence, index, protocol, flip)
            except CorruptFrame as error:
                yield dataclasses.replace(pair, truth=None, problem=str(error))
                continue
            yield dataclasses.replace(pair, disparity=disparity)


def _predict(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol, flip: bool
) -> NDArray[np.floating]:
    """1/depth of one frame at the network's size, for images resized as in training."""
    rgb, camera = sequence.image(index), sequence.camera
    rows = protocol.rows(len(rgb))
    if rows < len(rgb):
        rgb, camera = rgb[:rows], camera.cropped(0, 0, rows, camera.width)
    rgb, camera = _training_resize(rgb, estimator.size), camera.resized(*estimator.size)
    disparity = estimator.estimate(rgb, camera).disparity
    if not flip:
        return disparity
    mirrored = estimator.estimate(np.ascontiguousarray(rgb[:, ::-1]), camera.flipped())
    return blend_flipped(disparity, mirrored.disparity[:, ::-1])


def _training_resize(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.array(resize_image(rgb, size))  # Pillow's own buffer is read-only, torch warns of it


def _model_trajectories(
    model: str, sequence: Sequence, every: int, device: str
) -> tuple[Trajectory, Trajectory]:
    """The model's trajectory and the true one; frames without image or true pose are left out."""
    from monodepth_ros.inference.visual_odometry import VisualOdometry

    odometry = VisualOdometry(model, device=device)
    keys: list[int] = []
    estimate, truth, skipped = [], [], []
    for index in _with_progress(_frames(sequence, every), "odometry"):
        pose = sequence.pose(index)
        try:
            if pose is None:
                raise CorruptFrame(sequence.frame_name(index), "no true pose")
            image = sequence.image(index)
        except CorruptFrame as error:
            skipped.append((sequence.frame_name(index), error.reason))
            continue
        image = _training_resize(image, odometry.size)
        estimate.append(odometry.add(image, sequence.camera.resized(*odometry.size)))
        truth.append(pose)
        keys.append(index)
    _tell_skipped(skipped, "frames")
    if len(keys) < 2:
        raise UserError(f"{sequence.name}: {len(keys)} frames with image and true pose, 2 needed")
    frames = np.array(keys, np.float64)
    return (
        Trajectory(frames, np.stack(estimate), f"the estimate for {sequence.name}"),
        Trajectory(frames, np.stack(truth), f"the truth of {sequence.name}"),
    )


def _scale_figures(
    estimator: DepthEstimator,
    sequences: Iterable[Sequence],
    trajectories: Mapping[str, tuple[Trajectory, Trajectory]],
    min_motion: float,
) -> dict[str, float]:
    """Spread of the depth scale within a sequence, and its agreement with the pose scale."""
    plain = PROTOCOLS["plain"]
    depth_scales: dict[str, list[float]] = {}
    pose_scale: list[float] = []
    depth_scale: list[float] = []
    for sequence in sequences:
        estimate, truth = trajectories[sequence.name]
        ratios = [
            _depth_ratio(estimator, sequence, int(key), plain)
            for key in _with_progress(truth.keys, "scale")
        ]
        depth_scales[sequence.name] = [ratio for ratio in ratios if np.isfinite(ratio)]
        pose_scale.extend(pose_scales(estimate.poses, truth.poses, min_motion))
        depth_scale.extend(ratios[:-1])
    measured = {name: ratios for name, ratios in depth_scales.items() if ratios}
    if not measured:
        raise UserError("--scale needs recordings with true depth")
    median, std = pose_depth_log_ratio(pose_scale, depth_scale)
    return {
        "depth_seq_scale_std": sequence_scale_std(measured),
        "pose_depth_log_ratio_median": median,
        "pose_depth_log_ratio_std": std,
    }


def _depth_ratio(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol
) -> float:
    """median(truth) / median(prediction) of one frame, NaN where it cannot be had."""
    truth = _truth(sequence, index, protocol).truth
    if truth is None:
        return np.nan
    disparity = _predict(estimator, sequence, index, protocol, flip=False)
    prediction = depth_from_disparity(resize_disparity(disparity, *truth.shape))
    valid = valid_pixels(prediction, truth, protocol.min_depth, protocol.max_depth)
    return median_ratio(prediction[valid], truth[valid]) if valid.any() else np.nan


def _mean_errors(evaluations: Iterable[OdometryEvaluation]) -> dict[str, float]:
    """Each figure's mean over the sequences that are long enough for it."""
    rows = [dataclasses.asdict(evaluation.errors) for evaluation in evaluations]
    figures = {}
    for key in rows[0]:
        known = [row[key] for row in rows if np.isfinite(row[key])]
        figures[key] = float(np.mean(known)) if known else np.nan
    return figures


def _with_progress(items: Iterable[T], description: str) -> Iterable[T]:
    return track(items, description, console=Console(stderr=True), transient=True)


def _tell_left_out(evaluation: DepthEvaluation) -> None:
    _tell_skipped(evaluation.skipped, "images")
    if evaluation.missing_fraction > 0:
        share = f"{100 * evaluation.missing_fraction:.2g} %"
        print(f"{share} of the truth's pixels had no prediction: left out", file=sys.stderr)


def _tell_skipped(skipped: list[tuple[str, str]], what: str) -> None:
    if not skipped:
        return
    print(f"{len(skipped)} {what} skipped:", file=sys.stderr)
    for name, reason in skipped[:NAMED_SKIPS]:
        print(f"  {name}: {reason}", file=sys.stderr)
    if len(skipped) > NAMED_SKIPS:
        print(f"  and {len(skipped) - NAMED_SKIPS} more", file=sys.stderr)


def _show(figures: Mapping[str, float], json: bool) -> None:
    if json:
        print(to_json(figures))
        return
    for key, value in figures.items():
        print(f"{key:>28}  {value if isinstance(value, int) else f'{value:.4f}'}")
