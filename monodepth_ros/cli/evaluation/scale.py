"""`monodepth evaluate scale`: whether a model's depth and motion share one scale."""

from __future__ import annotations

from typing import Annotated

import typer

from monodepth_ros.cli.evaluation import inputs
from monodepth_ros.cli.evaluation.output import Json, Out, show
from monodepth_ros.cli.options.model import Device, EngineName, Precision, Threads
from monodepth_ros.cli.options.recordings import Camera, Every, FieldOfView, capture_settings
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.recordings import guessed_cameras
from monodepth_ros.evaluation.scale.consistency import MIN_MOTION_M
from monodepth_ros.evaluation.scale.report import scale_summary, write_scale_report
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.registry import DEFAULT, method_class
from monodepth_ros.shared_work import SharedWork

MinMotion = Annotated[
    float,
    typer.Option(
        min=0, help="Minimum true motion, in metres, of a pair for the scale of the poses."
    ),
]


def scale(
    model: inputs.Model = None,
    data: inputs.Data = None,
    refined: Annotated[
        bool, typer.Option(help="Also evaluate motions that are aligned to depth.")
    ] = True,
    min_motion: MinMotion = MIN_MOTION_M,
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
    """Consistency of the scale of depth over a sequence, and with the scale of the pose network.

    Also for refined motions: the effect of the alignment to depth on the scale. A model without a
    pose network is evaluated with the motions of the default method.
    """
    if model is None:
        raise UserError("--model is missing: whose scale is to be measured")
    sequences = inputs.open_recordings(data, "--data", capture_settings(camera, field_of_view))
    work = SharedWork(None if out is None else out / ".evaluate", "frames")
    loaded = load_engine(model, engine, device, precision, threads=threads)
    wanted = ("network", "refined") if refined else ("network",)
    suited = [name for name in wanted if method_class(name).unsuited(loaded) is None] or [DEFAULT]
    methods = dict(zip(suited, suited, strict=True))
    trajectories = inputs.model_trajectories(loaded, sequences, every, methods, work)
    if trajectories is None:
        return
    scales = inputs.model_scales(loaded, sequences, trajectories, min_motion)
    metrics = {**scale_summary(scales), **guessed_cameras(sequences)}
    if out is not None:
        write_scale_report(out, scales, metrics)
    work.forget()
    show(metrics, json)
