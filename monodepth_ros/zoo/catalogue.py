"""The model zoo: finds a model folder by name or path."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from monodepth_ros.errors import UserError
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.card import CARD_FILE, ModelCard, load_card

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class ZooEntry:
    """One model folder; ``problem`` says why its card cannot be read, and ``card`` is None then."""

    name: str
    folder: Path
    card: ModelCard | None
    problem: str | None = None


def is_name(text: str) -> bool:
    """Whether ``text`` can name a model: no separators, so that it stays inside its folder."""
    return _NAME.fullmatch(text) is not None


def user_models_folder() -> Path:
    """Where a user's own models are: ``$MONODEPTH_MODELS``, else the user's data folder."""
    chosen = os.environ.get("MONODEPTH_MODELS")
    if chosen:
        return Path(chosen).expanduser()
    return Path.home() / ".local" / "share" / "monodepth_ros" / "models"


def model_folders() -> list[Path]:
    """The folders searched for a name, the user's before the package's."""
    folders = [user_models_folder()]
    # Code without its share folder: paths and the user's models still work.
    with contextlib.suppress(FileNotFoundError):
        folders.append(share_directory() / "models")
    return folders


def resolve(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a model given by name, by its folder's path, or by its card's path.

    A name is looked up in :func:`model_folders` and then as a folder here; a :class:`UserError`
    says where it was sought.
    """
    text = os.fspath(name_or_path)
    if is_name(text):
        for parent in model_folders():
            if (parent / text / CARD_FILE).is_file():
                return (parent / text).resolve()  # of a link, what it is now
    path = Path(text).expanduser()
    folder = path.parent if path.name == CARD_FILE else path
    if (folder / CARD_FILE).is_file():
        return folder.resolve()
    if not is_name(text):
        raise UserError(f"{text or '(empty name)'}: not a model folder, it has no {CARD_FILE}")
    known = ", ".join(sorted({entry.name for entry in list_models()})) or "none"
    places = " or ".join(str(folder) for folder in model_folders())
    raise UserError(f"no model called {text!r} in {places}; known: {known}")


def list_models() -> list[ZooEntry]:
    """All models that have a name, the user's first; one that is shadowed is left out."""
    entries: dict[str, ZooEntry] = {}
    for folder in model_folders():
        for card_path in sorted(folder.glob(f"*/{CARD_FILE}")):
            name = card_path.parent.name
            if is_name(name) and name not in entries:
                try:
                    entries[name] = ZooEntry(name, card_path.parent, load_card(card_path.parent))
                except UserError as error:
                    entries[name] = ZooEntry(name, card_path.parent, None, str(error))
    return list(entries.values())
