"""`monodepth calibrate`: metres for a model, by recordings whose depth or motion is known."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.cli.evaluation.inputs import open_recordings
from monodepth_ros.cli.options.model import Device, EngineName, Threads
from monodepth_ros.cli.options.recordings import Camera, Every, FieldOfView, capture_settings
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.calibrate_metres import KnownBy, known_points
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.zoo import catalogue
from monodepth_ros.zoo.card import CARD_FILE, Metres, ModelCard, load_card, save_card


def calibrate(
    model: Annotated[str, typer.Argument(help="A model's name or folder.")],
    data: Annotated[
        list[str], typer.Option(help="Recording with depth or poses in metres. Repeatable.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="New model folder; default: NAME-metric in the user's model folder."),
    ] = None,
    by: Annotated[
        KnownBy | None,
        typer.Option(help="Fit to depth, or to points that are triangulated with the poses."),
    ] = None,
    every: Every = 1,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: Threads = 0,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit metres to a model, once: scale, shift and exponent of its inverse depth.

    The shift is fitted where the model leaves it open, the exponent where it helps. The result is a
    model of its own, with the same weights, whose depth is metric for cameras like those of --data
    and in places like those. Keep other recordings to check it with: monodepth evaluate depth
    --scaling none. A scale that is measured live follows the scene better.
    """
    folder = catalogue.resolve(model)
    card = load_card(folder)
    out = out or catalogue.user_models_folder() / f"{card.name}-metric"
    if out.exists():
        raise UserError(f"{out}: exists already; name another folder with --out")
    recordings = open_recordings(data, "--data", capture_settings(camera, field_of_view))
    loaded = load_engine(folder, engine, device, "fp32", threads=threads)
    points = known_points(loaded, recordings, every, by)
    fit, frames = points.fit(card.ambiguity == "scale_and_shift")
    metres = Metres(
        scale=fit.scale,
        shift=fit.shift,
        exponent=fit.exponent,
        deviation=fit.deviation,
        frames=frames,
        points=fit.points,
        data=", ".join(Path(path).name for path in data),
    )
    _write(folder, card, out, metres, points.focal)
    found = {**metres.model_dump(), "agreeing": fit.agreeing, "focal_length": points.focal}
    if as_json:
        print(json.dumps({"folder": str(out), **found}, indent=1))
        return
    print(
        f"{out}: 1/depth = {fit.scale:.4g} q^{fit.exponent:.3g} + {fit.shift:.3g}; depth differs by"
        f" {fit.deviation:.0%} (log deviation) at {fit.points} points of {frames} frames"
    )


def _write(folder: Path, card: ModelCard, out: Path, metres: Metres, focal: float) -> None:
    """The model with another card; its files are linked where the file system can do that."""
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(
        folder, partial, copy_function=_link, ignore=shutil.ignore_patterns(CARD_FILE, ".*")
    )
    values = {
        **card.model_dump(),
        "name": out.name,
        "scale": "metric",
        "factor": 1.0,
        "focal_length": focal,
        "metres": metres.model_dump(),
    }
    save_card(partial, ModelCard.model_validate(values))
    partial.rename(out)


def _link(source: str, target: str) -> str:
    try:
        os.link(os.path.realpath(source), target)
        return target
    except OSError:
        return shutil.copy2(source, target)
