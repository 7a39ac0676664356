"""What a tuning is of: stored in its folder, so that only the same command goes on there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.difference import difference, flat
from monodepth_ros.data.fingerprint import fingerprint_of_files, fingerprint_of_sequence
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.recipe import Recipe

_REQUEST = "request.json"
_BEFORE = {"lock", "job.json", "tuning.log"}  # what may be in a folder before its tuning begins
_OF_THE_MACHINE = {"data.cache", "data.workers", "trainer.threads"}


def claim(folder: Path, request: dict[str, Any]) -> None:
    """Note in a new folder what its tuning is of; ``request`` holds values by option.

    UserError where the folder holds another tuning, with the first option that differs, and where
    it holds something else.
    """
    file = folder / _REQUEST
    if file.is_file():
        changed = difference(json.loads(file.read_text()), request)
        if changed:
            raise UserError(
                f"{folder}: holds another tuning: {changed}; choose another --out, or remove the"
                " folder"
            )
        return
    others = sorted(path.name for path in folder.iterdir() if path.name not in _BEFORE)
    if others:
        raise UserError(f"{folder}: holds {others[0]}, and is no tuning's; choose another --out")
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(request, indent=1) + "\n")


def recipe_request(recipe: Recipe) -> dict[str, Any]:
    """All keys of a recipe but those of the machine."""
    values = flat(recipe.model_dump(mode="json"))
    return {key: value for key, value in values if key not in _OF_THE_MACHINE}


def model_request(option: str, folder: Path) -> dict[str, Any]:
    """Which model an option names, and the state of its files."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    state = fingerprint_of_files(files, times=False)
    return {option: str(folder.resolve()), f"the content of {folder}": state}


def recordings_request(
    option: str,
    recordings: Sequence[tuple[str, Sequence[Path]]],
    capture: CaptureSettings = NOTHING_STATED,
) -> dict[str, Any]:
    """Which recordings an option names, and the state of each; with each the bags that it holds."""
    names = [os.path.abspath(text) for text, _ in recordings]
    found: dict[str, Any] = {option: ", ".join(names) or None}
    for name, (text, bags) in zip(names, recordings, strict=True):
        if bags:
            states = [f"{bag.name} {_bag_state(bag)}" for bag in bags]
        else:
            sequences = open_sequence(text, capture=capture)
            states = [fingerprint_of_sequence(sequence) for sequence in sequences]
        found[f"the content of {name}"] = ", ".join(states)
    return found


def _bag_state(path: Path) -> str:
    try:
        with BagFile(path) as bag:
            return bag.fingerprint
    except UserError as error:  # it is told and left out when it is extracted
        return str(error)
