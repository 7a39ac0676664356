"""`monodepth tune`: a model learns a place from recordings of it, and proves that it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from monodepth_ros.cli.options import recordings as given
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.progress import plain_console
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import is_name, resolve


def tune(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Bags, recordings, videos, folders of images; or a part, PATH@start:stop:step;"
            " of a bag one camera, BAG@/image/topic.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of this tuning; its name is the name of the new model.")
    ],
    model: Annotated[str, typer.Option(help="Model (name or folder) to start from.")] = "demo",
    base: Annotated[
        str | None,
        typer.Option(help="Model to compare with on known scenes; default: --model."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Training recipe.")] = "finetune",
    teacher: Annotated[
        str | None,
        typer.Option(help="Model (name or folder) to learn from, such as by recipe distill."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one key of the recipe: section.key=value. Repeatable."),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Folder with replay/ and check/: frames with true depth that must not be"
            " forgotten. By default the package's, of made-up places; 'none' for none."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Minutes of training; default: the recipe's.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    gpu_share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Maximum fraction of the GPU's memory.")
    ] = 1.0,
    images: Annotated[list[str] | None, typer.Option(help="Image topics of bags.")] = None,
    depth: Annotated[
        str | None, typer.Option(help="Topic of true depth, for validation only.")
    ] = None,
    tolerance: given.Tolerance = 0.02,
    motion: given.Motion = 0.003,
    min_gain: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Relative decrease of the error that makes a model better."
        ),
    ] = 0.01,
    max_forgetting: Annotated[
        float, typer.Option(min=0, help="Maximum relative increase of the error on known scenes.")
    ] = 0.1,
    keep: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Fraction of the former weights in the average with the tuned ones."
        ),
    ] = 0.25,
    licence: Annotated[str, typer.Option(help="Licence of the tuned weights.")] = "unspecified",
    camera: given.Camera = None,
    field_of_view: given.FieldOfView = None,
    fps: given.Fps = None,
    owner: Annotated[
        int | None,
        typer.Option(hidden=True, help="Process of the tuner_node: end with it, run when idle."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Tune a model to recordings without ground truth, and validate it on held-out frames.

    --out gets the verdict (verdict.json) and the tuned model. The same command resumes an
    interrupted tuning; the folder refuses other options. Nodes do not get the model; the tuner_node
    does that.
    """
    from monodepth_ros.learning.tuning import background

    if owner is not None:
        background.stay_in_the_background(owner)

    from monodepth_ros.learning.tuning.recordings import known_scenes
    from monodepth_ros.learning.tuning.tune import Tuning, plan_of

    out = out.resolve()
    if not is_name(out.name):
        raise UserError(f"--out {out}: {out.name!r} cannot be the name of a model")
    start = resolve(model)
    limits = [] if minutes is None else [f"trainer.max_minutes={minutes}"]
    limits += [] if threads is None else [f"trainer.threads={threads}"]
    changes = [*(set_ or []), *([] if teacher is None else [f"networks.teacher={teacher}"])]
    plan, note = plan_of(recipe, start, limits, changes, out / "cache")
    if note:
        typer.echo(note, err=True)
    if load_card(start).provenance.calibration == "guessed":
        typer.echo(f"WARNING: {start.name} was learnt with guessed intrinsics", err=True)
    replay, check = known_scenes(known)
    capture = given.capture_settings(camera, field_of_view, fps)
    request = ExtractionRequest(
        images=tuple(images) if images else None,
        camera=capture.camera,
        field_of_view=capture.field_of_view,
        depth=depth,
        tolerance=tolerance,
        motion=motion,
        image_format="jpg",
    )
    background.limit_gpu(gpu_share)
    tuning = Tuning(
        start, resolve(base or model), plan, recordings, request, replay, check,
        min_gain, max_forgetting, keep, licence, capture,
    )  # fmt: skip
    _print_verdict(tuning.verdict(out, plain_console()), model, as_json)


def _print_verdict(verdict: dict[str, Any], model: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(verdict, indent=1))
    else:
        better = "better than" if verdict["better"] else "not better than"
        typer.echo(f"{verdict['model']} is {better} {model}: {verdict['reason']}")
    for line in verdict.get("unusable", ()):
        typer.echo(f"left out: {line}", err=True)
    for line in verdict.get("doubtful_cameras", ()):
        typer.echo(f"WARNING: {line}", err=True)
    if verdict.get("calibration") == "guessed":
        typer.echo("WARNING: learnt with guessed intrinsics; calibrate the camera", err=True)
