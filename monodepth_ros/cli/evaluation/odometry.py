"""`monodepth evaluate odometry`: trajectories, or a model over recordings, against true poses."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.cli.evaluation import inputs
from monodepth_ros.cli.evaluation.output import NAMED_SKIPS, Json, Out, show
from monodepth_ros.cli.evaluation.scale import MinMotion
from monodepth_ros.cli.options.model import Device, EngineName, Precision, Threads
from monodepth_ros.cli.options.motion import Method, Refine, chosen_method
from monodepth_ros.cli.options.recordings import Camera, Every, FieldOfView, capture_settings
from monodepth_ros.data.known_pose import UNKNOWN
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.alignment import ALIGNMENTS
from monodepth_ros.evaluation.covariance_file import read_covariances
from monodepth_ros.evaluation.odometry_consistency import consistency, consistency_metrics
from monodepth_ros.evaluation.odometry_metrics import (
    OdometryEvaluation,
    evaluate_odometry,
    mean_errors,
)
from monodepth_ros.evaluation.recordings import guessed_cameras
from monodepth_ros.evaluation.report import write_odometry_report
from monodepth_ros.evaluation.scale.consistency import MIN_MOTION_M
from monodepth_ros.evaluation.scale.report import scale_summary
from monodepth_ros.evaluation.trajectory import FORMATS, Trajectory, read_trajectory
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.shared_work import SharedWork


def odometry(
    est: Annotated[Path | None, typer.Option(help="Estimated trajectory.")] = None,
    gt: Annotated[Path | None, typer.Option(help="True trajectory.")] = None,
    format: Annotated[str, typer.Option(help=f"Of --est and --gt: {', '.join(FORMATS)}")] = "kitti",
    covariance: Annotated[
        Path | None,
        typer.Option(help="Covariances of --est, as replay writes them: adds their NEES."),
    ] = None,
    model: inputs.Model = None,
    data: inputs.Data = None,
    align: Annotated[str, typer.Option(help=", ".join(ALIGNMENTS))] = "7dof",
    max_stamp_difference: Annotated[
        float,
        typer.Option(min=0, help="Maximum time between the stamps of a pair, in seconds (tum)."),
    ] = 0.02,
    scale: Annotated[
        bool,
        typer.Option(
            "--scale", help="With --model: also the consistency of the scales of depth and pose."
        ),
    ] = False,
    min_motion: MinMotion = MIN_MOTION_M,
    method: Method = None,
    refine: Refine = False,
    every: Every = 1,
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "fp32",
    threads: Threads = 0,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Drift, ATE and RPE of a trajectory file, or of a model over recordings with true poses.

    Give --est with --gt, or --model with --data. Several recordings: the mean over them.
    """
    if align not in ALIGNMENTS:
        raise UserError(f"unknown alignment '{align}': use one of {', '.join(ALIGNMENTS)}")
    work = SharedWork(None if out is None else out / ".evaluate", "frames")
    metrics: dict[str, float] = {}
    guessed: dict[str, int] = {}
    if covariance is not None and est is None:
        raise UserError("--covariance belongs to a file: give --est and --gt with it")
    if est is not None and gt is not None and model is None and not data and not scale:
        estimate, truth = read_trajectory(est, format), read_trajectory(gt, format)
        if covariance is not None:
            stated = read_covariances(covariance, estimate)
            estimate = replace(estimate, covariances=stated)
        evaluation = evaluate_odometry(estimate, truth, format, align, max_stamp_difference)
        evaluations = {est.stem: evaluation}
        metrics = _counts(estimate, truth, evaluation)
        normalised = consistency(evaluation, estimate)
    elif model is not None and est is None and gt is None:
        sequences = inputs.open_recordings(data, "--data", capture_settings(camera, field_of_view))
        guessed = guessed_cameras(sequences)
        loaded = load_engine(model, engine, device, precision, threads=threads)
        methods = {"network": chosen_method(method, refine)}
        found = inputs.model_trajectories(loaded, sequences, every, methods, work)
        if found is None:
            return
        pairs = found["network"]
        evaluations = {
            name: evaluate_odometry(estimate, truth, "kitti", align)
            for name, (estimate, truth) in pairs.items()
        }
        normalised = [
            errors
            for name, (estimate, _) in pairs.items()
            for errors in consistency(evaluations[name], estimate)
        ]
        if scale:
            metrics = scale_summary(inputs.model_scales(loaded, sequences, found, min_motion))
    else:
        raise UserError("give --est with --gt, or --model with --data (and --scale if wanted)")
    metrics |= consistency_metrics(normalised)
    metrics = {**mean_errors(evaluations.values()), **metrics, **guessed}
    if out is not None:
        write_odometry_report(out, evaluations, metrics)
    work.forget()
    show(metrics, json)


def _counts(
    estimate: Trajectory, truth: Trajectory, evaluation: OdometryEvaluation
) -> dict[str, float]:
    """How many poses of the files the errors are of; those that do not count are told."""
    for file in (estimate, truth):
        if file.unknown:
            lines = ", ".join(map(str, file.unknown[:NAMED_SKIPS]))
            more = len(file.unknown) - NAMED_SKIPS
            lines += f" and {more} more" if more > 0 else ""
            what = f"{len(file.unknown)} poses are unknown ({UNKNOWN})"
            print(f"{file.name}: {what}: lines {lines}", file=sys.stderr)
    pairs = len(evaluation.estimate)
    if pairs < min(len(estimate), len(truth)):
        print(
            f"{pairs} pairs of {len(estimate)} estimated and {len(truth)} true poses; the others"
            " have no counterpart",
            file=sys.stderr,
        )
    return {
        "pairs": pairs,
        "estimated_poses": len(estimate),
        "true_poses": len(truth),
        "unknown_poses": len(estimate.unknown) + len(truth.unknown),
    }
