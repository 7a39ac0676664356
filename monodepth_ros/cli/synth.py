"""`monodepth synth`: renders a synthetic sequence with true depth, poses and reflection masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.progress import frame_progress
from monodepth_ros.worlds.generate import SequenceRequest, generate


def synth(
    world: Annotated[str, typer.Argument(help="street, rooms or glossy_rooms.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the sequence; an interrupted one is continued.")
    ],
    seed: Annotated[int, typer.Option(help="Random seed of the place and the trajectory.")] = 0,
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 300,
    width: Annotated[int, typer.Option(help="Image width in pixels.")] = 320,
    height: Annotated[int, typer.Option(help="Image height in pixels.")] = 192,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames per second.", show_default="10 in street, 15 in rooms"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            help="Light paths per pixel; fewer are faster and noisier.",
            show_default="what suits the world",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Render a drive or a walk through a synthetic place, with true depth and poses.

    The same options give the same sequence. The same command resumes an interrupted run. Needs the
    extra "synthetic".
    """
    request = SequenceRequest(world, seed, frames, width, height, fps, samples).validate()
    done = found = 0
    with frame_progress(disable=as_json) as progress:
        task = progress.add_task(f"{world} {seed}", total=frames)
        for number, done in enumerate(generate(request, out)):
            found = done if number == 0 else found
            progress.update(task, completed=done)
    if as_json:
        outcome = {"out": str(out), "frames": done, "rendered": done - found}
        print(json.dumps(outcome))
    else:
        print(f"{done} frames in {out}, {done - found} of them rendered now")
