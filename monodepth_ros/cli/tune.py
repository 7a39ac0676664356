"""`monodepth tune`: a model learns a place from recordings of it, and proves that it has."""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from monodepth_ros.cli.progress import frame_progress
from monodepth_ros.data.bag_extraction import BagExtraction, ExtractionRequest
from monodepth_ros.data.bag_file import BagFile, is_bag
from monodepth_ros.data.open_sequence import SLICE
from monodepth_ros.errors import UserError
from monodepth_ros.share_directory import share_directory

_PR_SET_PDEATHSIG = 1


def tune(
    recordings: Annotated[
        list[str], typer.Argument(help="Bags, sequence folders, or FOLDER@start:stop:step.")
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
    ] = 0.2,
    licence: Annotated[str, typer.Option(help="Licence of the tuned weights.")] = "unspecified",
    owner: Annotated[
        int | None,
        typer.Option(help="Process to end with; runs only when the machine is idle otherwise."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Tune a model to recordings, without truth, and judge it on frames held back.

    The verdict is in verdict.json of --out, the tuned model beside it. Interrupted at any moment,
    the same command goes on. No node is told: the tuner_node does that.
    """
    if owner is not None:
        _stay_in_the_background(owner)

    from monodepth_ros.inference.zoo import is_name, resolve
    from monodepth_ros.learning.recipe_file import load_recipe
    from monodepth_ros.learning.tuning import Tuning, holding_back, only_one, settings_of_model

    out = out.resolve()
    if not is_name(out.name):
        raise UserError(f"--out {out}: {out.name!r} cannot be the name of a model")
    start = resolve(model)
    limits = [] if minutes is None else [f"trainer.max_minutes={minutes}"]
    limits += [] if threads is None else [f"trainer.threads={threads}"]
    settings = [*settings_of_model(start, load_recipe(recipe)), *limits, *(set_ or [])]
    plan = holding_back(load_recipe(recipe, settings))
    plan = plan.with_models_found(lambda name: str(resolve(name)))
    replay, check = _known_scenes(known)
    request = ExtractionRequest(
        images=tuple(images) if images else None, depth=depth, motion=motion, image_format="jpg"
    )
    with only_one(out):
        sources = _sequences(recordings, out / "sequences", request)
        _limit_gpu(gpu_share)
        tuning = Tuning(
            start, resolve(base or model), plan, sources, replay, check,
            min_gain, max_forgetting, keep, licence,
        )  # fmt: skip
        verdict = _run(tuning, out)
    if as_json:
        print(json.dumps(verdict, indent=1))
    else:
        better = "better than" if verdict["better"] else "not better than"
        typer.echo(f"{verdict['model']} is {better} {model}: {verdict['reason']}")


def _run(tuning: Any, out: Path) -> dict[str, Any]:
    from monodepth_ros.learning.nan_guard import TrainingDiverged
    from monodepth_ros.learning.stopping import TrainingStopped

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


def _sequences(recordings: list[str], folder: Path, request: ExtractionRequest) -> list[str]:
    """What to learn from: bags as they are extracted, all else as it is."""
    sources: list[str] = []
    for text in recordings:
        name, _, part = text.rpartition("@")
        bag = Path(name) if name and SLICE.fullmatch(part) else Path(text)
        if not is_bag(bag) or not (bag.is_file() or (bag / "metadata.yaml").exists()):
            inside = sorted(p for p in bag.iterdir() if is_bag(p)) if bag.is_dir() else []
            if not inside:
                sources.append(text)
                continue
            for each in inside:
                sources += _extracted(each, folder, request, "")
            continue
        slicing = f"@{part}" if bag != Path(text) else ""
        sources += _extracted(bag, folder, request, slicing)
    return sources


def _extracted(bag: Path, folder: Path, request: ExtractionRequest, slicing: str) -> list[str]:
    console = Console(stderr=True)
    sources = []
    with BagFile(bag) as opened:
        extraction = BagExtraction(opened, request)
        for topic in extraction.images:
            out = folder / f"{bag.stem}_{re.sub(r'[^A-Za-z0-9]+', '_', topic).strip('_')}"
            frames = 0
            if not (out / "complete").is_file():
                console.print(f"extracting {topic} of {bag.name}", highlight=False)
                total = len(extraction.stamps.get(topic, ()))
                with frame_progress(console, disable=not console.is_terminal) as progress:
                    task = progress.add_task(topic, total=total)
                    for done in extraction.extract(topic, out):
                        frames = done.frames
                        progress.advance(task)
                if not frames:
                    console.print(f"{bag.name}: no image of {topic} can be used", highlight=False)
                    continue
                (out / "complete").touch()
            sources.append(f"{out}{slicing}")
        for problem in dict.fromkeys(opened.problems):
            console.print(f"{bag.name}: {problem}", highlight=False)
    return sources


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
