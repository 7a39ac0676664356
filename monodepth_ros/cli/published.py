"""``monodepth models fetch`` and ``list --available``: models that others publish."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Column, Table

from monodepth_ros.errors import UserError
from monodepth_ros.heartbeat import Heartbeat
from monodepth_ros.networks.published import CONFIG_FILE, PREPROCESSOR_FILE
from monodepth_ros.progress import plain_console
from monodepth_ros.zoo import catalogue
from monodepth_ros.zoo.available import AvailableModel, available_models, find_available
from monodepth_ros.zoo.card import ModelCard
from monodepth_ros.zoo.weight_files import PUBLISHED_FILE

PUBLISHED_FILES = (CONFIG_FILE, PREPROCESSOR_FILE, PUBLISHED_FILE)


def print_available(as_json: bool) -> None:
    """The table of the models that `fetch` knows, or the same as JSON."""
    known = available_models()
    if as_json:
        print(json.dumps({name: model.model_dump() for name, model in known.items()}, indent=2))
        return
    name_column = Column("name", no_wrap=True)  # to be copied from here
    table = Table(name_column, "MB", "licence", "commercial", "good for")
    for name, model in known.items():
        size = "?" if model.megabytes is None else str(model.megabytes)
        use = "yes" if model.commercial_use else "no"
        table.add_row(name, size, model.licence, use, model.good_for)
    Console(markup=False).print(table)


def fetch(
    model: Annotated[str, typer.Argument(metavar="NAME", help="As in `list --available`.")],
    name: Annotated[str | None, typer.Option(help="Name to give it; default: the same.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of models to put it in; default: yours.")
    ] = None,
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="Accept a licence without commercial use."),
    ] = False,
) -> None:
    """Download a published model, verify it, and make a model folder of it.

    An interrupted download goes on with the same command. HF_ENDPOINT names another server,
    HF_TOKEN an account. A model that is there already is verified.
    """
    known = find_available(model)
    if not (known.commercial_use or accept_licence):
        raise UserError(
            f"{model}: its licence allows no commercial use: {known.licence}; read it at"
            f" {known.homepage} and add --accept-licence"
        )
    name = model if name is None else name
    if not catalogue.is_name(name):
        raise UserError(f"--name {name!r}: use letters, digits, dot, dash and underscore")
    folder = (out or catalogue.user_models_folder()) / name
    with _count_bytes(model) as advance:
        downloaded, trusted = _fetch(known, folder, advance)
    if not downloaded:
        print(f"{folder}: is there already, and whole")
        return
    print(f"{folder}: {known.licence}, {known.homepage}")
    for file, digest in trusted.items():
        print(f"{file}: no hash of it was known; it is as the server says, SHA-256 {digest}")


def _fetch(
    model: AvailableModel, folder: Path, advance: Callable[[int, int | None], None]
) -> tuple[bool, dict[str, str]]:
    """Whether anything was downloaded, and what was trusted; UserError without the extra."""
    try:
        from monodepth_ros.zoo.fetch import fetch as fetched
    except ModuleNotFoundError as error:
        raise UserError(
            f"fetching needs {error.name}, which is not installed:"
            " pip install 'monodepth_ros[foundation]'"
        ) from None
    found = fetched(model, folder, lambda begun: _adopt(model, begun, folder.name), advance)
    return found.downloaded, found.trusted


def _adopt(model: AvailableModel, folder: Path, name: str) -> ModelCard:
    """Make a model folder of the published files in ``folder``."""
    if model.kind == "huggingface":
        from monodepth_ros.zoo.importers.huggingface import adopt

        return adopt(folder, name, model.licence, model.homepage)
    (source,) = (folder / file for file in model.files)
    card = import_onnx(source, folder, name, model.kind, None)
    source.unlink()  # all of it is in what was made of it
    return card


def import_published(source: Path, folder: Path, name: str) -> ModelCard:
    """Make a model folder of one with the three published files, which are copied.

    Weights that the list of published models knows by their hash have its licence.
    """
    from monodepth_ros.zoo.importers.huggingface import adopt, check_weights

    check_weights(source)
    begun = folder.with_name(f".{folder.name}.imported")
    shutil.rmtree(begun, ignore_errors=True)
    begun.mkdir(parents=True)
    try:
        for file in PUBLISHED_FILES:
            if (source / file).is_file():
                shutil.copyfile(source / file, begun / file)
        card = adopt(begun, name)
        if known := _known_by_hashes(card):
            card = adopt(begun, name, known.licence, known.homepage, known.revision)
        shutil.rmtree(folder, ignore_errors=True)
        begun.rename(folder)
        return card
    except UserError as error:
        raise UserError(str(error).replace(str(begun), str(source))) from None
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def import_checkpoint(source: Path, folder: Path, name: str, kind: str | None) -> ModelCard:
    """Make a model folder of an original ``.pth`` of Depth Anything, in its published form."""
    from monodepth_ros.zoo.importers.depth_anything import convert_depth_anything

    if not source.is_file():
        raise UserError(f"{source}: no such file")
    converted = folder.with_name(f".{folder.name}.converted")
    try:
        convert_depth_anything(source, converted, kind)
        return import_published(converted, folder, name)
    finally:
        shutil.rmtree(converted, ignore_errors=True)


def _known_by_hashes(card: ModelCard) -> AvailableModel | None:
    """The published model whose known files the card's are, if there is one."""
    for model in available_models().values():
        hashes = {name: file.sha256 for name, file in model.files.items() if file.sha256}
        if hashes and hashes.items() <= card.files.items():
            return model
    return None


def import_onnx(
    source: Path, folder: Path, name: str, kind: str | None, size: tuple[int, int] | None
) -> ModelCard:
    """Make a model folder of an ONNX file; UserError without the extra that reads it."""
    if not source.is_file():
        raise UserError(f"{source}: no such file")
    if kind is None:
        raise UserError(f"{source}: say with --kind what its outputs mean")
    try:
        from monodepth_ros.inference.export.depth_anything_3 import import_depth_anything_3
    except ModuleNotFoundError as error:
        raise UserError(
            f"{source}: importing needs {error.name}, which is not installed:"
            " pip install 'monodepth_ros[onnxruntime]'"
        ) from None
    return import_depth_anything_3(source, folder, name, kind, size)


@contextmanager
def _count_bytes(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar, or a line now and then where there is no terminal; call it for bytes that came."""
    console = plain_console()
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield lambda count, total: progress.update(task, advance=count, total=total)
        return
    came, of = 0, ""

    def advance(count: int, total: int | None) -> None:
        nonlocal came, of
        came += count
        of = "" if total is None else f" of {total / 1e6:.0f}"

    with Heartbeat(lambda: f"{what}: {came / 1e6:.0f}{of} MB"):
        yield advance
