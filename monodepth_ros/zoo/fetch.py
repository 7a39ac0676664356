"""Brings a published model into a folder of models: downloaded, verified, adopted, then there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from monodepth_ros.atomic_file import flush
from monodepth_ros.cache_directory import locked
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.zoo.available import AvailableModel
from monodepth_ros.zoo.card import CARD_FILE, ModelCard, load_card, save_card
from monodepth_ros.zoo.hub import RemoteFile, Unreachable, download, look_up, verified
from monodepth_ros.zoo.weight_files import verify_all

_LATEST = "main"
_LOCK = ".lock"
# Makes a model folder of one that holds the published files, and returns its card.
Adopt = Callable[[Path], ModelCard]
# Told of bytes that came: how many, and of how many in all (None: unknown).
Progress = Callable[[int, "int | None"], None]


@dataclass(frozen=True)
class Fetched:
    """What `fetch` did. ``trusted`` are files whose hash the list of models does not have."""

    folder: Path
    revision: str | None
    downloaded: bool
    trusted: dict[str, str]


def fetch(
    model: AvailableModel,
    folder: Path,
    adopt: Adopt,
    progress: Progress = lambda *_: None,
    endpoint: str | None = None,
    pause: float = 1.0,
) -> Fetched:
    """Make ``folder`` the published ``model``; its last part is the model's name.

    Nothing is called so before all of it is there, verified and with a card. What an interrupted
    call has downloaded lies in a hidden folder beside it, and the next call goes on there. A model
    that is there already is verified, and nothing is downloaded.

    Raises:
        UserError: another model has the name.
        Failure: the server, the disk or a hash says no. Where the server cannot be reached, the
            message says how to do it by hand.
    """
    if (found := _already(model, folder)) is not None:
        return found
    begun = folder.with_name(f".{folder.name}.fetched")
    begun.mkdir(parents=True, exist_ok=True)
    with locked(begun / _LOCK):
        if (found := _already(model, folder)) is not None:  # by another process meanwhile
            return found
        try:
            files = _look_up(model, endpoint)
            _check_room(files, begun)
            hashes = _fetch_files(model, files, begun, progress, pause)
        except Unreachable as error:
            raise Failure(f"{error}; {by_hand(model, folder.name)}") from error
        revision = files[0].commit
        _adopt(begun, adopt, folder.name, model, revision)
        begun.rename(folder)
        flush(folder.parent)
    trusted = {name: h for name, h in hashes.items() if model.files[name].sha256 is None}
    return Fetched(folder, revision, True, trusted)


def by_hand(model: AvailableModel, name: str) -> str:
    """The two commands that do the same where one machine has a network and another the models."""
    revision = f" --revision {model.revision}" if model.revision else ""
    source = name if model.kind == "huggingface" else f"{name}/{next(iter(model.files))}"
    kind = "" if model.kind == "huggingface" else f" --kind {model.kind}"
    return (
        f"by hand: `hf download {model.repository} {' '.join(model.files)}{revision}"
        f" --local-dir {name}` where there is a network, then"
        f" `monodepth models import {source}{kind} --name {name}`"
    )


def _already(model: AvailableModel, folder: Path) -> Fetched | None:
    """The model where it is there and whole; UserError where something else is called so."""
    if not folder.exists():
        return None
    card = load_card(folder) if (folder / CARD_FILE).is_file() else None
    if card is None or not card.provenance.recipe.startswith(_origin(model, model.revision)):
        raise UserError(f"{folder}: exists and is another model; choose another --name")
    verify_all(folder, card)
    return Fetched(folder, card.revision, False, {})


def _look_up(model: AvailableModel, endpoint: str | None) -> list[RemoteFile]:
    """What the server says of all files, of one revision; nothing is downloaded."""
    revision = model.revision or _LATEST
    files: list[RemoteFile] = []
    for name, known in model.files.items():
        remote = look_up(model.repository, revision, name, endpoint)
        if known.size is not None and remote.size not in (None, known.size):
            raise Failure(f"{remote.url}: has {remote.size} bytes and not {known.size}")
        files.append(remote)
        revision = remote.commit  # files of two revisions do not belong together
    return files


def _check_room(files: list[RemoteFile], begun: Path) -> None:
    """Failure where the disk cannot hold what is missing: better now than after an hour."""
    there = sum(path.stat().st_size for path in begun.iterdir())
    missing = sum(remote.size or 0 for remote in files) - there
    free = shutil.disk_usage(begun).free
    if missing > free:
        raise Failure(
            f"{begun.parent}: {missing / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free"
        )


def _fetch_files(
    model: AvailableModel,
    files: list[RemoteFile],
    begun: Path,
    progress: Progress,
    pause: float,
) -> dict[str, str]:
    """The SHA-256 of each file, all of which are in ``begun`` and right afterwards."""
    sizes = [remote.size for remote in files]
    total = None if None in sizes else sum(filter(None, sizes))
    return {
        remote.name: _fetch_file(
            remote,
            begun,
            model.files[remote.name].sha256,
            lambda count: progress(count, total),
            pause,
        )
        for remote in files
    }


def _fetch_file(
    remote: RemoteFile,
    begun: Path,
    sha256: str | None,
    advance: Callable[[int], None],
    pause: float,
) -> str:
    path = begun / remote.name
    # A part of another revision is no beginning of this one.
    part = begun / f"{remote.name}.{remote.commit[:12]}.part"
    if path.exists():  # complete, of an interrupted call
        try:
            found = verified(path, remote.etag, sha256)
            advance(path.stat().st_size)
            return found
        except Failure:
            path.unlink()
    if part.exists():
        advance(part.stat().st_size)
    download(remote, part, advance, pause)
    try:
        found = verified(part, remote.etag, sha256)
    except Failure as error:
        part.unlink()
        raise Failure(f"{remote.url}: damaged or replaced: {error}; it is removed") from error
    flush(part)
    part.rename(path)
    return found


def _adopt(begun: Path, adopt: Adopt, name: str, model: AvailableModel, revision: str) -> None:
    """Give the folder its card, and take away what does not belong to the model."""
    known = {
        "name": name,
        "licence": model.licence,
        "homepage": model.homepage,
        "revision": revision,
    }
    card = adopt(begun)
    provenance = card.provenance.model_copy(update={"recipe": _origin(model, revision)})
    save_card(begun, card.model_copy(update={**known, "provenance": provenance}))
    for leftover in (begun / _LOCK, *begun.glob("*.part")):  # parts of other revisions
        leftover.unlink()


def _origin(model: AvailableModel, revision: str | None) -> str:
    """What a card says of where it is from; without a revision, how that begins."""
    return f"published weights, {model.repository} at {revision or ''}"
