"""`monodepth tune`: a model learns a place from recordings of it, and proves that it has."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from monodepth_ros.cli.extraction.bag_cameras import extract_cameras
from monodepth_ros.cli.options.capture import Camera, FieldOfView, Fps, capture_settings
from monodepth_ros.cli.options.truth import Tolerance
from monodepth_ros.cli.progress import plain_console
from monodepth_ros.data.coverage import Coverage, found_nowhere
from monodepth_ros.data.extraction.record import by_option, request_values
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.open_sequence import SLICE, bags_at
from monodepth_ros.errors import UserError
from monodepth_ros.share_directory import share_directory

_PR_SET_PDEATHSIG = 1


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
        Path, typer.Option(help="Folder of this tuning; its name becomes the new model's.")
    ],
    model: Annotated[str, typer.Option(help="Model (name or folder) to start from.")] = "demo",
    base: Annotated[
        str | None,
        typer.Option(help="Model whose error on known scenes counts; by default --model."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="How to learn.")] = "finetune",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one key of it: section.key=value. Repeatable."),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            help="Folder with replay/ and check/: frames with true depth that should not be"
            " forgotten. By default the package's, of made-up places; 'none' for none."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Of training; by default the recipe's.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU.")] = None,
    gpu_share: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Of a GPU's memory, at most.")
    ] = 1.0,
    images: Annotated[list[str] | None, typer.Option(help="Image topics of bags.")] = None,
    depth: Annotated[
        str | None, typer.Option(help="Topic of true depth; it judges, and does not teach.")
    ] = None,
    tolerance: Tolerance = 0.02,
    motion: Annotated[
        float,
        typer.Option(
            min=0, help="Of bags: share of its width that an image has moved since the last taken."
        ),
    ] = 0.003,
    min_gain: Annotated[
        float, typer.Option(min=0, max=1, help="By which share the error must fall.")
    ] = 0.01,
    max_forgetting: Annotated[
        float, typer.Option(min=0, help="By which share it may rise on known scenes.")
    ] = 0.1,
    keep: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the former weights to mix in: forgets less."),
    ] = 0.25,
    licence: Annotated[str, typer.Option(help="Licence of the tuned weights.")] = "unspecified",
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    fps: Fps = None,
    owner: Annotated[
        int | None,
        typer.Option(hidden=True, help="The tuner_node's process: end with it, run when idle."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Tune a model to recordings, without truth, and judge it on frames held back.

    The verdict is in verdict.json of --out, the tuned model beside it. Interrupted at any moment,
    the same command goes on; another one is refused in the same folder. No node is told: the
    tuner_node does that.
    """
    if owner is not None:
        _stay_in_the_background(owner)

    from monodepth_ros.learning.recipe.file import load_recipe
    from monodepth_ros.learning.tuning.request import (
        claim,
        model_request,
        recipe_request,
        recordings_request,
    )
    from monodepth_ros.learning.tuning.tune import (
        VERDICT,
        Tuning,
        holding_back,
        only_one,
        read_verdict,
        settings_of_model,
    )
    from monodepth_ros.zoo.card import load_card
    from monodepth_ros.zoo.catalogue import is_name, resolve

    out = out.resolve()
    if not is_name(out.name):
        raise UserError(f"--out {out}: {out.name!r} cannot be the name of a model")
    start = resolve(model)
    limits = [] if minutes is None else [f"trainer.max_minutes={minutes}"]
    limits += [] if threads is None else [f"trainer.threads={threads}"]
    settings = [*settings_of_model(start, load_recipe(recipe)), f"data.cache={out / 'cache'}"]
    settings += [*limits, *(set_ or [])]
    plan = holding_back(load_recipe(recipe, settings))
    plan = plan.with_models_found(lambda name: str(resolve(name)))
    replay, check = _known_scenes(known)
    capture = capture_settings(camera, field_of_view, fps)
    request = ExtractionRequest(
        images=tuple(images) if images else None,
        camera=capture.camera,
        field_of_view=capture.field_of_view,
        depth=depth,
        tolerance=tolerance,
        motion=motion,
        image_format="jpg",
    )
    _tell_size(load_recipe(recipe, set_ or []), plan)
    if load_card(start).provenance.calibration == "guessed":
        typer.echo(f"WARNING: {start.name} was learnt with guessed intrinsics", err=True)
    former = resolve(base or model)
    named = [(text, _bags(text)[0]) for text in recordings]
    known_scenes = [(folder, ()) for folder in (*replay, *check)]
    judging = {
        "--min-gain": min_gain, "--max-forgetting": max_forgetting, "--keep": keep,
        "--licence": licence, "--fps": fps,
    }  # fmt: skip
    with only_one(out):
        claim(
            out,
            {
                **recordings_request("RECORDINGS", named, capture),
                **model_request("--model", start),
                **model_request("--base", former),
                **recordings_request("--known", known_scenes),
                **by_option(request_values(request)),
                **recipe_request(plan),
                **judging,
            },
        )
        if (out / VERDICT).is_file():
            verdict = read_verdict(out)
        else:
            unusable: list[str] = []
            sources = _sequences(recordings, out / "sequences", request, unusable)
            _limit_gpu(gpu_share)
            tuning = Tuning(
                start, former, plan, sources, replay, check,
                min_gain, max_forgetting, keep, licence, capture, unusable,
            )  # fmt: skip
            verdict = _run(tuning, out)
        for copies in (out / "sequences", out / "cache"):  # of what the recordings hold
            shutil.rmtree(copies, ignore_errors=True)
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


def _tell_size(asked: Any, plan: Any) -> None:
    """Say that the images of a tuning are as large as the model's, whatever its recipe asks for."""
    if "size" not in asked.data.model_fields_set or asked.data.size == plan.data.size:
        return
    (height, width), (rows, columns) = plan.data.size, asked.data.size
    print(
        f"learning at the model's image size {width}x{height}, not at the recipe's data.size"
        f" {columns}x{rows}: --set data.size={columns}x{rows} asks for that",
        file=sys.stderr,
    )


def _run(tuning: Any, out: Path) -> dict[str, Any]:
    from monodepth_ros.learning.run.nan_guard import TrainingDiverged
    from monodepth_ros.learning.run.stopping import TrainingStopped

    try:
        verdict: dict[str, Any] = tuning.run(out)
    except TrainingDiverged as error:
        typer.echo(f"monodepth: {error}", err=True)
        raise typer.Exit(1) from None
    except TrainingStopped:
        typer.echo("monodepth: stopped by a signal; the same command goes on", err=True)
        raise typer.Exit(1) from None
    return verdict


def _known_scenes(folder: str | None) -> tuple[list[str], list[str]]:
    """The folders to replay and to check with, empty where there are none."""
    if folder == "none":
        return [], []
    root = share_directory() / "training" / "known_scenes" if folder is None else Path(folder)
    parts = [root / "replay", root / "check"]
    missing = [part for part in parts if not part.is_dir()]
    if missing:
        raise UserError(f"--known {root}: there is no {missing[0].name}/ in it")
    return [str(parts[0])], [str(parts[1])]


def _sequences(
    recordings: list[str], folder: Path, request: ExtractionRequest, unusable: list[str]
) -> list[str]:
    """What to learn from: bags as they are extracted, all else as it is.

    A bag or camera that cannot be used is left out, unless there is nothing else; ``unusable`` gets
    a line for each. Ends with status 1 where no frame of any bag has the true depth that was asked
    for.
    """
    sources: list[str] = []
    bad = 0  # bags
    coverages: list[Coverage] = []
    for text in recordings:
        bags, topic, part = _bags(text)
        if not bags:
            sources.append(text)
        for bag in bags:
            own = request if topic is None else replace(request, images=(topic,))
            out = folder / f"{len(sources) + bad:03d}_{bag.stem}"
            try:
                found = _extracted(bag, out, own, coverages, unusable)
                sources += [f"{sequence}{part}" for sequence in found]
            except UserError as error:
                bad += 1
                unusable.append(str(error))
                print(f"left out: {error}", file=sys.stderr)
    if not sources:
        raise UserError(unusable[0])
    if lines := found_nowhere(coverages):
        typer.echo(f"monodepth: {'; '.join(lines)}", err=True)
        raise typer.Exit(1)
    return sources


def _bags(text: str) -> tuple[list[Path], str | None, str]:
    """The bags that a recording is or holds, the topic of `BAG@/topic`, and the slice behind.

    No bags where it is of another kind.
    """
    name, _, part = text.rpartition("@")
    sliced = bool(name) and SLICE.fullmatch(part) is not None
    text = name if sliced else text
    name, _, end = text.rpartition("@")
    topic = end if name and end.startswith("/") and not Path(text).exists() else None
    bags = bags_at(Path(text if topic is None else name))
    return bags, topic, f"@{part}" if sliced else ""


def _extracted(
    bag: Path,
    folder: Path,
    request: ExtractionRequest,
    coverages: list[Coverage],
    unusable: list[str],
) -> list[Path]:
    """The sequences of a bag's cameras, extracted unless they are there already.

    ``coverages`` gets how many of their frames have what was asked for, ``unusable`` why cameras
    cannot be used while others can.
    """
    outcomes = extract_cameras(bag, folder, "", request, plain_console())
    found = [outcome.sequence.folder for outcome in outcomes if outcome.frames]
    if not found:
        raise UserError(f"{bag}: no image of it can be used")
    unusable += (
        outcome.sequence.failure or f"{bag}: no image of {outcome.sequence.topic} can be used"
        for outcome in outcomes
        if not outcome.frames
    )
    coverages += (c for outcome in outcomes for c in outcome.sequence.coverage.values())
    return found


def _limit_gpu(share: float) -> None:
    import torch

    if share < 1.0 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def _stay_in_the_background(owner: int) -> None:
    """Run when nothing else wants to, and end when the process that started this one is gone."""
    os.nice(19)
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:
        raise UserError(f"--owner {owner}: is not the process that started this one")
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
