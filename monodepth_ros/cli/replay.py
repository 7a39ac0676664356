"""`monodepth replay`: what the nodes would have said of a bag, repeatable, and how true it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.cli.options import recordings as given
from monodepth_ros.cli.options.model import Device, EngineName, Model, Precision, Threads
from monodepth_ros.data.coverage import never_found
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.evaluation.report_files import to_json
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.tracker_settings import settings_for_step
from monodepth_ros.progress import frame_progress, plain_console
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.report import write_comparison
from monodepth_ros.replay.run import ReplayRun
from monodepth_ros.replay.source import open_source


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="A bag, recording, video or folder of images; with --compare, folders of replays.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report, new or empty.")],
    model: Model = "demo",
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    refine: Annotated[
        bool, typer.Option("--refine", help="Refine each motion by aligning it to depth.")
    ] = False,
    images: Annotated[str | None, typer.Option(help="Image topic; default: the first one.")] = None,
    camera_info: given.CameraInfo = None,
    camera: given.Camera = None,
    rectified: given.Rectified = None,
    depth: given.Depth = None,
    poses: given.Poses = None,
    frame: given.Frame = None,
    mounting: given.Mounting = None,
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
    poses, name their topics: depth is evaluated median-scaled, odometry after alignment. The report
    is report.html in --out.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"--out {out}: not empty; name a new folder")
    if compare:
        _compare(sources, out, as_json)
        return
    if len(sources) > 1:
        raise UserError("one bag at a time; --compare shows finished replays side by side")
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
    record = ReplayRecord()
    with open_source(sources[0], request, capture, record) as source:
        for other in source.others:
            typer.echo(f"{sources[0]}: not replayed: {other}", err=True)
        tracking, note = settings_for_step(source.step)
        if note is not None:
            typer.echo(note, err=True)
            record.problems.append(note)
        loaded = load_engine(model, engine, device, precision, threads=threads)
        run = ReplayRun(loaded, tracking, out, record, refine)
        with frame_progress(plain_console(), disable=as_json) as progress:
            for image in progress.track(source.frames, source.total, description="replay"):
                if image is not None:
                    run.take(image)
        record.problems += dict.fromkeys(source.problems)
    if not record.frames:
        why = dict(record.left_out)
        raise Failure(f"{sources[0]}: no frame could be replayed: {why}")
    _show(run.finish(source), as_json)
    if not as_json:
        for line in record.account():
            typer.echo(line, err=True)
    if lines := never_found(record.coverage.values()):
        raise Failure(f"{sources[0]}: {'; '.join(lines)}")


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
