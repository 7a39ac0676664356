"""What a run folder says about how it came to be."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe import Recipe
from monodepth_ros.learning.recipe_file import load_recipe, save_recipe

RECIPE = "recipe.yaml"
_PACKAGES = ("monodepth_ros", "torch", "lightning", "numpy", "opencv-python-headless", "pillow")


def write_run_record(folder: Path, recipe: Recipe, data: dict[str, Any], step: int) -> None:
    """Write the resolved recipe, and the revision, versions and data of this session.

    ``step`` is where the session starts: 0, or where it resumes. Earlier sessions keep their file.
    """
    save_recipe(recipe, folder / RECIPE)
    record = {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "from_step": step,
        "command": sys.argv,
        "git_revision": git_revision(),
        "python": platform.python_version(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
        "cuda": torch.version.cuda,
        "machine": platform.machine(),
        "data": data,
    }
    with atomic_path(folder / "sessions" / f"from_step_{step:07d}.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")


def check_same_recipe(folder: Path, recipe: Recipe) -> None:
    """Raise a UserError unless ``recipe`` may go on with the run in ``folder``.

    What decides the batches, the loss and the optimiser's state must be as it was; the machine, the
    length and the schedule of the run may change.
    """
    former, now = (_decisive(r) for r in (load_recipe(folder / RECIPE), recipe))
    changed = [key for key in now if now[key] != former[key]]
    if changed:
        key = changed[0]
        raise UserError(
            f"--resume: {key} was {former[key]} in {folder / RECIPE} and is {now[key]} now:"
            " give the same, or begin another run"
        )


def _decisive(recipe: Recipe) -> dict[str, Any]:
    kept = {
        "data": recipe.data.model_dump(exclude={"workers", "cache"}),
        "networks": recipe.networks.model_dump(exclude={"init"}),
        "objective": recipe.objective.model_dump(),
        "optimizer": recipe.optimizer.model_dump(exclude={"clip_norm"}),
        "trainer": recipe.trainer.model_dump(include={"seed"}),
    }
    return dict(_flat(kept, ""))


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def first_session(folder: Path) -> dict[str, Any]:
    """The record of the session that began the run."""
    records = sorted((folder / "sessions").glob("from_step_*.json"))
    record: dict[str, Any] = json.loads(records[0].read_text())
    return record


def git_revision() -> str | None:
    """The revision of the code, ``-dirty`` where files differ; None outside a git checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    code = Path(__file__).resolve().parent
    try:
        done = subprocess.run(command, cwd=code, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
