"""``monodepth train``: a recipe and sequences in, a run folder and a model out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from monodepth_ros.cli.options.recordings import Camera, FieldOfView, Fps, capture_settings
from monodepth_ros.errors import UserError


def train(
    recipe: Annotated[str, typer.Argument(help="Recipe: a YAML file, or a name from training/.")],
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Recording, bag, video, folder of images or of recordings; or a part of it,"
            " PATH@start:stop:step; of a bag one camera, BAG@/image/topic. Repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; default: runs/<recipe>-<time>.")
    ] = None,
    val: Annotated[
        list[str] | None, typer.Option(help="Held-out recording for validation. Repeatable.")
    ] = None,
    replay: Annotated[
        list[str] | None,
        typer.Option(help="Folder with true depth that the model must not forget. Repeatable."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one key: section.key=value. Repeatable."),
    ] = None,
    dump: Annotated[
        bool, typer.Option("--dump", help="Print every key of the recipe with its value, and end.")
    ] = False,
    resume: Annotated[bool, typer.Option(help="Resume the run in --out exactly.")] = False,
    init: Annotated[
        str | None, typer.Option(help="Model (name or folder) with the initial weights.")
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Model (name or folder) to learn from: networks.teacher of the recipe."),
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Model folder to write at the end.")] = None,
    checkpoint: Annotated[
        Literal["best", "last"],
        typer.Option(help="Which weights to export: best (by validation, if any) or last."),
    ] = "best",
    scale: Annotated[
        Literal["metric", "relative"] | None,
        typer.Option(
            help="Scale of the exported depth: metric or relative; default: metric where true"
            " depth taught it."
        ),
    ] = None,
    keep: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            help="Fraction of the weights of --init in the average with the trained ones.",
        ),
    ] = 0.0,
    licence: Annotated[
        str, typer.Option(help="Licence of the exported weights; it depends on the data.")
    ] = "unspecified",
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    fps: Fps = None,
) -> None:
    """Train depth and pose networks by a recipe.

    Many processes: start with torchrun and set trainer.devices and trainer.num_nodes.
    """
    # Heavy imports wait until the command line is known to be right.
    from monodepth_ros.learning.recipe.file import load_recipe, recipe_as_yaml
    from monodepth_ros.networks.registry import find_architecture
    from monodepth_ros.zoo.card import load_card
    from monodepth_ros.zoo.catalogue import resolve

    capture = capture_settings(camera, field_of_view, fps)
    overrides = list(set_ or [])
    former = None if init is None else resolve(init)
    if former is not None:
        card = load_card(former)
        overrides.append(f"networks.init.depth={former}")
        if card.uncertainty:  # what --set says of it wins
            overrides.insert(0, f"networks.uncertainty={card.uncertainty.members}")
        if find_architecture(card.architecture).pose is not None:
            overrides.append(f"networks.init.pose={former}")
    if teacher is not None:
        overrides.append(f"networks.teacher={teacher}")
    plan = load_recipe(recipe, overrides)
    if dump:
        typer.echo(recipe_as_yaml(plan), nl=False)
        return
    if not data:
        raise UserError("--data is missing: name at least one recording to learn from")
    plan = plan.with_models_found(lambda name: str(resolve(name)))
    if resume and out is None:
        raise UserError("--resume needs --out: the folder of the run to go on with")
    if keep > 0 and former is None:
        raise UserError("--keep needs --init: the model of whose weights to keep a share")
    if out is None:
        out = Path("runs") / f"{Path(recipe).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    if export is not None and export.exists() and any(export.iterdir()):
        raise UserError(f"--export {export}: not empty; name a new folder")

    from monodepth_ros.learning.export import export_run
    from monodepth_ros.learning.run.train import process_rank
    from monodepth_ros.learning.run.train import train as run_training

    folder = run_training(plan, data, out, val or [], resume, replay or [], capture)
    if process_rank() != 0:
        return
    typer.echo(f"run: {folder}")
    if export is not None:
        kept = None if former is None or keep == 0 else (former, keep)
        model = export_run(folder, export, licence, checkpoint=checkpoint, scale=scale, kept=kept)
        typer.echo(f"model: {model}")
