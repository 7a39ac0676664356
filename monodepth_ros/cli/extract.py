"""`monodepth extract`: bags to the sequence folders that training and evaluation read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from monodepth_ros.cli.options import recordings as given
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.topics import ImageTopic, image_topics
from monodepth_ros.data.extraction.jobs import Extraction
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError, WrongUse


def extract(
    bags: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Bags, videos, folders of images, or other recordings."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Output folder; each camera gets a sequence folder in it.")
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(help="Image topic; default: all cameras. Repeatable."),
    ] = None,
    camera_info: given.CameraInfo = None,
    camera: given.Camera = None,
    rectified: given.Rectified = None,
    depth: given.Depth = None,
    poses: given.Poses = None,
    speed: Annotated[
        str | None,
        typer.Option(help="Topic of true speed, odometry or twist; default: that of --poses."),
    ] = None,
    frame: given.Frame = None,
    mounting: given.Mounting = None,
    tolerance: given.Tolerance = 0.02,
    motion: given.Motion = 0.0,
    every: given.Every = 1,
    format: Annotated[
        Literal["jpg", "png"], typer.Option(help="Format of the written images.")
    ] = "jpg",
    licence: Annotated[str, typer.Option(help="Licence of the recording.")] = "",
    field_of_view: given.FieldOfView = None,
    fps: given.Fps = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many bags are extracted at a time.")] = 1,
    topics: Annotated[
        bool, typer.Option("--topics", help="Only list the topics of the bags.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Extract bags (ROS 1 and 2), videos or images to sequence folders.

    Intrinsics, stamps, and true depth, poses and speed if the bag has them. Needs no ROS. The same
    command resumes an interrupted extraction. A written folder refuses a changed bag or other
    options; another bag of the same name gets a folder of its own. The readable part of a damaged
    bag is extracted, and the rest is reported.
    """
    if topics:
        _list_topics(bags, as_json)
        return
    if out is None:
        raise UserError("--out is missing: the folder that the sequences go to")
    capture = given.capture_settings(camera, field_of_view, fps)
    request = ExtractionRequest(
        images=tuple(images) if images else None,
        camera_info=camera_info,
        camera=capture.camera,
        rectified=rectified,
        field_of_view=capture.field_of_view,
        fps=capture.fps,
        depth=depth,
        poses=poses,
        speed=speed,
        frame=frame,
        mounting=given.T_base_camera(mounting),
        tolerance=tolerance,
        motion=motion,
        every=every,
        image_format=format,
        licence=licence,
    )
    found = Extraction(out, request, capture, quiet=as_json).all(bags, jobs)
    outcomes = [sequence for extracted in found for sequence in extracted.sequences]
    failed = [line for extracted in found for line in extracted.failed]
    refused = [extracted.refused for extracted in found if extracted.refused is not None]
    if refused and len(bags) == 1:
        raise refused[0]
    if as_json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    only_wrong_use = not failed and all(isinstance(error, WrongUse) for error in refused)
    if not any(outcome.frames for outcome in outcomes):
        failed.append("no frame could be taken")
    for line in (*refused, *failed):
        typer.echo(f"monodepth: {line}", err=True)
    if failed or refused:
        raise typer.Exit(2 if refused and only_wrong_use else 1)


def _list_topics(bags: list[Path], as_json: bool) -> None:
    found = {}
    for bag in bags:
        with BagFile(bag) as opened:
            images = {topic.name: topic for topic in image_topics(opened)}
            found[str(bag)] = opened.topics
            if not as_json:
                for name, kind in sorted(opened.topics.items()):
                    told = _describe(images[name]) if name in images else ""
                    typer.echo(f"{bag.name}  {name}  {kind}{told}")
                for problem in opened.problems:
                    typer.echo(problem, err=True)
    if as_json:
        print(json.dumps(found, indent=1))


def _describe(topic: ImageTopic) -> str:
    """What a topic of images is taken for."""
    encoding = f" ({topic.encoding})" if topic.encoding else ""
    return f"  {topic.role}{encoding}, {topic.count} messages"
