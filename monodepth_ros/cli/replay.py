"""`monodepth replay`: what the nodes would have said of a bag, repeatable, and how true it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.cli.options import recordings as given
from monodepth_ros.cli.options.model import (
    Background,
    Device,
    EngineName,
    Model,
    Precision,
    Threads,
)
from monodepth_ros.cli.options.motion import Method, Refine, chosen_method
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.report_files import to_json
from monodepth_ros.inference.background import checked_background
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.scale.recorded import RecordedSource
from monodepth_ros.replay.recordings import ReplayedWithoutTruth, Replays
from monodepth_ros.replay.report import write_comparison
from monodepth_ros.shared_work import Rank
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Bags, recordings, videos or folders of images; with --compare, those of replays.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the report, new or empty; of many, one in it each.")
    ],
    model: Model = "demo",
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    background: Background = "keep",
    method: Method = None,
    refine: Refine = False,
    images: Annotated[str | None, typer.Option(help="Image topic; default: the first one.")] = None,
    camera_info: given.CameraInfo = None,
    camera: given.Camera = None,
    rectified: given.Rectified = None,
    depth: given.Depth = None,
    poses: given.Poses = None,
    frame: given.Frame = None,
    mounting: given.Mounting = None,
    scale_source: Annotated[
        RecordedSource | None,
        typer.Option(
            help="Metres by the poses of --poses, taken for the robot's odometry, or by points of"
            " the depth of --depth, taken for a sensor's."
        ),
    ] = None,
    tolerance: given.Tolerance = 0.02,
    every: given.Every = 1,
    field_of_view: given.FieldOfView = None,
    fps: given.Fps = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare finished replays side by side.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")] = False,
) -> None:
    """Run depth and odometry offline on a bag, video or recording, and write a report.

    It computes what the nodes compute, for every image, at full speed. Two runs give identical
    files, except replay.rrd and the files that begin with timing. If the bag has true depth or
    poses, name their topics: depth is evaluated median-scaled, odometry after alignment. With
    --scale-source both are also in metres, as the nodes would have them. The report is report.html
    in --out. Each of many recordings gets a folder in --out: processes share them
    under torchrun, and the same command goes on where an interrupted one ended.
    """
    if compare:
        _refuse_used(out)
        _compare(sources, out, as_json)
        return
    method = chosen_method(method, refine)
    capture = given.capture_settings(camera, field_of_view, fps)
    request = ExtractionRequest(
        images=None if images is None else (images,),
        camera_info=camera_info,
        camera=capture.camera,
        rectified=rectified,
        field_of_view=field_of_view,
        depth=depth,
        poses=poses,
        frame=frame,
        mounting=given.T_base_camera(mounting),
        tolerance=tolerance,
        every=every,
    )
    background = checked_background(background)
    content = load_card(resolve(model)).content()
    asked = (content, engine, device, precision, method, background, scale_source)
    replays = Replays(
        cache(lambda: load_engine(model, engine, device, precision, threads=threads)),
        asked,
        request,
        capture,
        method,
        background,
        bars=not as_json and Rank.of_environment().number == 0,
        scale_source=scale_source,
    )
    if len(sources) > 1:
        _replay_many(replays, sources, out, as_json)
        return
    _refuse_used(out)
    try:
        metrics, account = replays.one(sources[0], out)
    except ReplayedWithoutTruth as error:
        _tell(error.metrics, error.account, as_json)
        raise
    _tell(metrics, account, as_json)


def _refuse_used(out: Path) -> None:
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"--out {out}: not empty; name a new folder")


def _replay_many(replays: Replays, sources: list[str], out: Path, as_json: bool) -> None:
    results = replays.many(sources, out)
    if results is None:
        return
    if as_json:
        print(to_json({name: result["metrics"] for name, result in results.items()}))
    for name, result in results.items():
        if not as_json:
            typer.echo(name)
            _tell(result["metrics"], result["account"], as_json)
        if result["error"] is not None:
            typer.echo(f"monodepth: {result['error']}", err=True)
    if any(result["error"] is not None for result in results.values()):
        raise typer.Exit(1)


def _tell(metrics: Mapping[str, object], account: list[str], as_json: bool) -> None:
    _show(metrics, as_json)
    if not as_json:
        for line in account:
            typer.echo(line, err=True)


def _compare(folders: list[str], out: Path, as_json: bool) -> None:
    if len(folders) < 2:
        raise UserError("--compare needs the folders of at least two replays")
    compared = write_comparison(out, [Path(folder) for folder in folders])
    if as_json:
        print(json.dumps(compared, indent=1))
        return
    for name, metrics in compared.items():
        typer.echo(name)
        _show(metrics, as_json)


def _show(metrics: Mapping[str, object], as_json: bool) -> None:
    """What metrics.json holds, for a program or for people."""
    if as_json:
        print(to_json(metrics))
        return
    for name, value in metrics.items():
        if isinstance(value, (int, float)):
            typer.echo(f"{name:30s} {value if isinstance(value, int) else f'{value:.4g}'}")
