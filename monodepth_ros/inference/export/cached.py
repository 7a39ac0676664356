"""Exports that an engine needs: the model folder's own, or made once and kept in the cache."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import monodepth_ros
from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.cache_directory import cache_directory, locked
from monodepth_ros.data.notes import print_once
from monodepth_ros.errors import UserError
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.module_process import module_process
from monodepth_ros.zoo.card import ExportFormat, ModelCard, NetworkPart
from monodepth_ros.zoo.weight_files import file_sha256, verify_file

# What has to be installed where an export is made.
MAKERS: dict[ExportFormat, tuple[str, ...]] = {
    "onnx": ("torch", "onnx"),
    "openvino": ("torch", "onnx", "openvino"),
    "torch-export": ("torch",),
}
_PACKAGE = Path(str(monodepth_ros.__file__)).parent
_NAME = "model"  # cached files are called after nothing: their folder says of which weights


def ensure_exports(folder: Path, card: ModelCard, kinds: Sequence[ExportKind]) -> list[Path]:
    """Exports of the model in ``folder``, of one size, whose files are whole.

    Each is the card's, if that lists one of its kind, else one in the cache. What is missing there
    is made on first use, in another process, by torch. :class:`UserError` where that is impossible,
    or where a file of the model folder is damaged.
    """
    own = {kind: path for kind in kinds if (path := _listed(folder, card, kind)) is not None}
    needed = [kind for kind in kinds if kind not in own]
    into = _cached(folder, card, needed) if needed else folder
    return [own.get(kind, into / kind.file(_NAME)) for kind in kinds]


def ensure_proof(
    folder: Path, card: ModelCard, network: NetworkPart, size: tuple[int, int], int8: bool = False
) -> Path:
    """The proof of such exports: the model folder's, else the cache's, made as an export is.

    For ``int8`` that of an int8 export, which is of frames like those for which it was made.
    """
    proofs = [e for e in card.exports if e.proof and (e.network, e.size) == (network, size)]
    for listed in sorted(proofs, key=lambda entry: (entry.precision == "int8") != int8):
        assert listed.proof is not None
        verify_file(folder / listed.proof, listed.files[listed.proof])
        return folder / listed.proof
    kind = ExportKind("onnx", network, size)
    return _cached(folder, card, [kind]) / kind.proof(_NAME)


def _listed(folder: Path, card: ModelCard, kind: ExportKind) -> Path | None:
    """The card's own export, whole; None where it lists none and one can be made."""
    listed = kind.listed(card)
    if listed is not None:
        for name, digest in listed.files.items():
            verify_file(folder / name, digest)
        return folder / listed.file
    if kind.precision == "int8":
        raise UserError(
            f"model {card.name} has no int8 export of its {kind.network} network for"
            f" {kind.size[1]}x{kind.size[0]}: make one with `monodepth models quantise`"
        )
    return None


def _cached(folder: Path, card: ModelCard, kinds: Sequence[ExportKind]) -> Path:
    """The folder of the cache where such exports and their proofs are, whole."""
    if not card.files:
        height, width = kinds[0].size
        known = ", ".join(
            f"{export.size[1]}x{export.size[0]} {export.precision}" for export in card.exports
        )
        raise UserError(
            f"model {card.name} has no export for {width}x{height} {kinds[0].precision}, and no"
            f" weights to make one of; it has {known or 'none'}"
        )
    into = cache_directory("exports") / _key(card, kinds[0].size)
    if all(_is_whole(into, kind) for kind in kinds):
        return into
    _create(into)
    with locked(into / ".lock"):  # another process may have made them meanwhile
        if missing := [kind for kind in kinds if not _is_whole(into, kind)]:
            check_makers(card, missing)
            names = " and ".join(kind.file(_NAME) for kind in missing)
            print_once(f"{card.name}: making {names} once, in {into}")
            _make(folder, card, missing, into)
            for kind in missing:
                _seal(into, kind)
    return into


def _key(card: ModelCard, size: tuple[int, int]) -> str:
    """Of all that an export depends on: weights, range, size, our code that makes it, torch."""
    content = hashlib.sha256()
    for part in ("networks", "inference/export"):
        for path in sorted((_PACKAGE / part).glob("*.py")):
            content.update(path.read_bytes())
    try:
        torch = version("torch")
    except PackageNotFoundError:
        torch = "none"
    facts = [sorted(card.files.items()), card.architecture, card.min_depth, card.max_depth, size]
    content.update(json.dumps([*facts, torch]).encode())
    return content.hexdigest()[:32]


def _create(into: Path) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
        (into / ".lock").touch()
    except OSError as error:
        raise UserError(
            f"{into}: exports cannot be kept there ({error.strerror}): set XDG_CACHE_HOME to a"
            " folder that can be written"
        ) from None


def _seal_of(into: Path, kind: ExportKind) -> Path:
    return into / f"{kind.file(_NAME)}.json"


def _is_whole(into: Path, kind: ExportKind) -> bool:
    """Whether an export is there with its proof, both as they were written."""
    try:
        digests = json.loads(_seal_of(into, kind).read_text())
        return all(file_sha256(into / name) == digests[name] for name in kind.files(_NAME))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _seal(into: Path, kind: ExportKind) -> None:
    """Note the hashes of what was made: without them it does not count."""
    digests = {name: file_sha256(into / name) for name in kind.files(_NAME)}
    with atomic_path(_seal_of(into, kind)) as temporary:
        temporary.write_text(json.dumps(digests))


def check_makers(card: ModelCard, kinds: Sequence[ExportKind]) -> None:
    """UserError unless all is installed that makes such exports."""
    for kind in kinds:
        missing = [name for name in MAKERS[kind.format] if find_spec(name) is None]
        if missing:
            raise UserError(
                f"model {card.name} has no {kind.format} export of its {kind.network} network for"
                f" {kind.size[1]}x{kind.size[0]}, and making one needs {' and '.join(missing)}:"
                f" install that, or run `monodepth models export {card.name}` elsewhere and copy"
                " the folder"
            )


def _make(folder: Path, card: ModelCard, kinds: Sequence[ExportKind], into: Path) -> None:
    request: dict[str, Any] = {"folder": str(folder), "into": str(into), "name": _NAME}
    request["kinds"] = [asdict(kind) for kind in kinds]
    done = subprocess.run(
        **module_process("monodepth_ros.inference.export.make", request),
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise UserError(f"model {card.name} cannot be exported: {reason}")
