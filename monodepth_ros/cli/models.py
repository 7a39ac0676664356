"""``monodepth models``: what models there are, and whether they are sound."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monodepth_ros.cli.options.model import Device, EngineName, Precision, Threads, network_size
from monodepth_ros.cli.options.recordings import Camera, FieldOfView, capture_settings
from monodepth_ros.cli.published import (
    fetch,
    import_checkpoint,
    import_onnx,
    import_published,
    print_available,
)
from monodepth_ros.data.images.file import read_rgb
from monodepth_ros.data.named_frames import named_frames
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.inference.model_check import check_model
from monodepth_ros.networks.published import CONFIG_FILE
from monodepth_ros.zoo import catalogue
from monodepth_ros.zoo.card import load_card, save_card

models = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="List, inspect, import, export and check models.",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # no parameters
Model = Annotated[str, typer.Argument(help="A model's name or folder.")]


models.command()(fetch)


@models.command("list")
def list_models(
    available: Annotated[
        bool, typer.Option("--available", help="List the published models that `fetch` knows.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the models that have a name."""
    if available:
        print_available(as_json)
        return
    entries = catalogue.list_models()
    if as_json:
        rows = [
            {
                "name": entry.name,
                "folder": str(entry.folder),
                "card": entry.card and entry.card.model_dump(),
                "problem": entry.problem,
            }
            for entry in entries
        ]
        print(json.dumps(rows, indent=2))
        return
    table = Table("name", "architecture", "size", "scale", "licence", "folder")
    for entry in entries:
        card = entry.card
        if card is None:
            facts: list[str | Text] = [Text(f"{entry.problem}", "red"), "", "", ""]
        else:
            height, width = card.usual_size
            size = f"{width}x{height}" if card.size else "of the image"
            facts = [card.architecture, size, card.scale, card.licence]
        table.add_row(entry.name, *facts, str(entry.folder))
    searched = " or ".join(map(str, catalogue.model_folders()))
    Console(markup=False).print(table if entries else f"no models in {searched}")


@models.command()
def info(model: Model, as_json: AsJson = False) -> None:
    """Show a model's card, its folder, and how large it is."""
    from monodepth_ros.zoo.weights import load_weights

    folder = catalogue.resolve(model)
    card = load_card(folder)
    states = load_weights(folder, card) if card.files else {}  # some have exports alone
    files = [*card.files, *(name for export in card.exports for name in export.files)]
    facts: dict[str, object] = {
        "folder": str(folder),
        "parameters": {
            network: sum(v.numel() for key, v in state.items() if not key.endswith(_STATISTICS))
            for network, state in states.items()
        },
        "megabytes": round(sum((folder / name).stat().st_size for name in files) / 1e6, 2),
    }
    if as_json:
        print(json.dumps({"card": card.model_dump(), **facts}, indent=2))
    else:
        values = {**card.model_dump(exclude_none=True), **facts}
        print(yaml.safe_dump(values, sort_keys=False).rstrip())


@models.command("import")
def import_model(
    source: Annotated[
        Path,
        typer.Argument(
            help="Folder of encoder.pth, depth.pth, pose*.pth, or of config.json,"
            " preprocessor_config.json, model.safetensors; or an ONNX or .pth file."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the imported model.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; default: your models folder.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Input size, WIDTHxHEIGHT; default: that of encoder.pth.")
    ] = None,
    depth_only: Annotated[bool, typer.Option(help="Import without the pose network.")] = False,
    force: Annotated[bool, typer.Option(help="Replace an existing model of that name.")] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Of an ONNX file: depth-anything-3-metric or depth-anything-3-mono; of a .pth:"
            " depth-anything-v1, depth-anything-v2, or that and -metric-indoor or -metric-outdoor."
        ),
    ] = None,
) -> None:
    """Import public Monodepth2 weights, a Hugging Face depth model, or a Depth Anything.

    Of Depth Anything also the original checkpoints of V1 and V2, and V3 in ONNX.

    The released Monodepth2 weights are for non-commercial use only; read their licence. Nothing is
    unpickled.
    """
    from monodepth_ros.zoo.importers.monodepth2 import import_monodepth2

    if not catalogue.is_name(name):
        raise UserError(f"--name {name!r}: use letters, digits, dot, dash and underscore")
    folder = (out or catalogue.user_models_folder()) / name
    if folder.exists() and not force:
        raise UserError(f"{folder}: exists; choose another --name, or replace it with --force")
    at = network_size(size)
    if source.suffix == ".onnx":
        card = import_onnx(source, folder, name, kind, at)
    elif source.suffix == ".pth":
        card = import_checkpoint(source, folder, name, kind)
    elif not source.is_dir():
        raise UserError(f"{source}: no such folder")
    elif (source / CONFIG_FILE).is_file():
        card = import_published(source, folder, name)
    else:
        card = import_monodepth2(source, folder, name, at, with_pose=not depth_only)
    print(f"{card.architecture} imported to {folder}")
    print(card.licence)


@models.command()
def export(
    model: Model,
    format: Annotated[str, typer.Option(help="onnx, openvino or torch-export.")] = "onnx",
    size: Annotated[
        str | None, typer.Option(help="Image size, WIDTHxHEIGHT; default: that of the card.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="fp32, or fp16: in half precision, for a GPU.")
    ] = "fp32",
    out: Annotated[
        Path | None,
        typer.Option(help="Model folder to write or to add to; default: NAME-FORMAT in yours."),
    ] = None,
) -> None:
    """Write a model folder that holds the networks as ONNX, OpenVINO or torch.export files.

    Batches may have any size. Input: RGB images (batch, height, width, 3), uint8; the pose network
    takes two. Output: inverse depth (batch, height, width), float32; motions (batch, 6).
    """
    from monodepth_ros.inference.engines.registry import at_size
    from monodepth_ros.inference.export.kind import export_kinds
    from monodepth_ros.inference.export.model_folder import export_model

    folder = catalogue.resolve(model)
    card = load_card(folder)
    size_of_export = at_size(card, network_size(size)).usual_size
    kinds = export_kinds(folder, card, format, size_of_export, precision)
    out = out or catalogue.user_models_folder() / f"{card.name}-{format}"
    for entry in export_model(folder, out, kinds):
        print(out / entry.file)


@models.command()
def quantise(
    model: Model,
    data: Annotated[
        list[str], typer.Option(help="Recording of the place where it will run. Repeatable.")
    ],
    every: Annotated[int, typer.Option(min=1, help="Use every N-th frame of --data.")] = 5,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Model folder to write or to add to; default: NAME-int8 in yours."),
    ] = None,
) -> None:
    """Write a model folder whose depth network computes in int8, by OpenVINO and NNCF.

    It is calibrated on --data and compared with torch in fp32 on the middle fifth of it, which is
    held out. If depth differs by more than 2 % there, nothing is written and the exit status is 1.
    """
    from monodepth_ros.inference.export.quantise import quantise as quantised

    folder = catalogue.resolve(model)
    out = out or catalogue.user_models_folder() / f"{load_card(folder).name}-int8"
    frames = list(named_frames(_recordings(data, camera, field_of_view), every))
    found = quantised(folder, out, frames, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"{out}: abs_rel {found.abs_rel:.2g} on {found.frames} held-out frames")


@models.command()
def calibrate(
    model: Model,
    data: Annotated[
        list[str], typer.Option(help="Recording with true depth to calibrate on. Repeatable.")
    ],
    familiar: Annotated[
        list[str] | None,
        typer.Option(help="Recording of further images like those of training. Repeatable."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Use every N-th frame.")] = 1,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Calibrate confidence: write into the model's card how far its depth errs.

    True depth of --data teaches where and by how much; images of --data and --familiar are familiar
    ones. The weights of the networks do not change. Use recordings like those of the robot, and
    keep others to check the result with: monodepth evaluate depth --uncertainty.
    """
    from monodepth_ros.evaluation.uncertainty.calibrate import fit_error_model, rated_frames
    from monodepth_ros.inference.engines.registry import load_engine

    folder = catalogue.resolve(model)
    loaded = load_engine(folder, engine, device, "fp32", threads=threads)
    frames = {
        purpose: [
            *rated_frames(loaded, map(rectified, _recordings(paths, camera, field_of_view)), every)
        ]
        for purpose, paths in (("data", data), ("familiar", familiar or []))
    }
    found = fit_error_model(frames["data"], frames["familiar"], ", ".join(map(_last_part, data)))
    save_card(folder, load_card(folder).model_copy(update={"error_model": found}))
    if as_json:
        print(found.model_dump_json(indent=2))
    else:
        counts = ", ".join(f"{len(rated)} of --{purpose}" for purpose, rated in frames.items())
        print(f"{folder}: calibrated on frames, {counts}")
        print(yaml.safe_dump(found.model_dump(exclude={"familiar"}), sort_keys=False).rstrip())


def _last_part(recording: str) -> str:
    """A recording's name without the folders that it lies in; a part of it stays named."""
    path, at, part = recording.partition("@")
    return Path(path).name + at + part


def _recordings(
    paths: list[str], camera: Path | None, field_of_view: float | None
) -> list[Sequence]:
    capture = capture_settings(camera, field_of_view)
    return [one for path in paths for one in open_sequence(path, capture=capture)]


@models.command()
def check(
    model: Model,
    data: Annotated[
        list[str] | None,
        typer.Option(help="Recording on whose frames to compare with torch in fp32. Repeatable."),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Use every N-th frame of --data.")] = 5,
    camera: Camera = None,
    field_of_view: FieldOfView = None,
    engine: EngineName = "auto",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Verify hashes, load the weights, and run them on random and on sample frames.

    With --data also compare the engine's depth and motion with those of torch in fp32: the mean
    relative difference of depth may be 1e-4 in fp32, 1 % in bf16 and fp16, 2 % in int8, that of
    motion five times as much. The exit status is 1 when anything is wrong.
    """
    folder = catalogue.resolve(model)
    samples = ((path.name, read_rgb(path)) for path in sorted(folder.glob("samples/*.jpg")))
    compared = named_frames(_recordings(data, camera, field_of_view), every) if data else None
    findings = check_model(folder, samples, device, precision, engine, threads, compared)
    passed = all(finding.passed for finding in findings)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"model": str(folder), "passed": passed, "findings": rows}, indent=2))
    else:
        for finding in findings:
            print(f"{'ok    ' if finding.passed else 'FAILED'} {finding.check}: {finding.detail}")
    if not passed:
        raise typer.Exit(1)
