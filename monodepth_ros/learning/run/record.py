"""What a run folder says about how it came to be."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.difference import difference, flat
from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.file import load_recipe, save_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.recipe.sections import TrainerRecipe

RECIPE = "recipe.yaml"
Recordings = dict[str, list[list[str]]]  # names and fingerprints, by the option that names them
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


def check_same_run(folder: Path, recipe: Recipe, recordings: Recordings) -> None:
    """Raise a UserError unless the run in ``folder`` may go on with a recipe and recordings.

    What decides the weights must be as it was: see `MAY_CHANGE` for what need not be.
    """
    used = first_session(folder)["data"].get("recordings", {})
    for option, now in recordings.items():
        if option in used and used[option] != now:
            raise UserError(
                f"--resume: {option}: {_other(used[option], now)}: give the same {option}, or begin"
                " another run"
            )
    former = load_recipe(folder / RECIPE)
    changed = difference(decisive(former), decisive(recipe))
    if changed:
        raise UserError(
            f"--resume: {changed}, against {folder / RECIPE}: give the same, or begin another run"
        )


# Of a recipe, what a resumed run may have otherwise: the machine's side of it, its length, how
# often it is looked at, and the limit of gradients that a run needs which has diverged.
MAY_CHANGE = {
    "data.workers",
    "data.cache",
    "optimizer.clip_norm",
    "schedule.epochs",
    "evaluation.every_epochs",
    "evaluation.every_steps",
    *(f"trainer.{key}" for key in TrainerRecipe.model_fields if key != "seed"),
}


def decisive(recipe: Recipe) -> dict[str, Any]:
    """The values by dotted keys that a run cannot change on its way."""
    values = flat(recipe.model_dump(mode="json"))
    return {
        key: value
        for key, value in values
        # Recordings of a mixed set may be elsewhere: it is their content that decides.
        if key not in MAY_CHANGE and not re.match(r"mix\.[^.]+\.data\b", key)
    }


def _other(former: list[list[str]], now: list[list[str]]) -> str:
    """Which recording is another one, of lists of names and fingerprints."""
    for (old, state), (new, current) in zip(former, now, strict=False):
        if old != new:
            return f"was {old} and is {new} now"
        if state != current:
            return f"{old} has changed since"
    return f"{len(former)} recordings or parts of them were given, {len(now)} are now"


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
