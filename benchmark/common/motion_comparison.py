"""What depth learns from a place by whose motions: the network's, refined ones, or of matches."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from common.monodepth_commands import MonodepthCommands

SEEDS = (0, 1)
STEPS = 60
BATCH = 6


@dataclass(frozen=True)
class Lesson:
    """Frames to learn from without truth, those that are reported, and frames between neighbours.

    A fixed number of frames: spacing by motion would look at true poses.
    """

    learnt: str
    reported: str
    stride: int


LESSONS = {
    "7scenes_redkitchen": Lesson("@0:300", "@350:700", 12),
    "hololens_office": Lesson("@0:100", "@130:240", 2),
}
_REFINED = (
    "refinement.gradient_steps=1",
    "refinement.detach_depth=false",
    "refinement.network_pose_weight=0.5",
    "losses.consistency.weight=3",
)  # as training/sa4depth.yaml
MOTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "network": ("lite", ("refinement.enabled=false", "losses.consistency=null")),
    "refined": ("lite", _REFINED),
    "matches": ("matches", ()),
    "matches, depth alone": ("matches", ("networks.pose=none", "losses.consistency=null")),
    "matches, triangulation alone": (
        "matches",
        ("networks.pose=none", "losses.consistency=null", "losses.photometric=null"),
    ),
    "network, and triangulation": (
        "lite",
        ("refinement.enabled=false", "losses.consistency=null", "losses.triangulation={}"),
    ),
}
MAIN = ("network", "refined", "matches")
METHODS = ("network", "geometry")  # of odometry
BUNDLED = "none: the bundled model"


def compare(
    commands: MonodepthCommands, recordings: Path, only: list[str], out: Path, main_only: bool
) -> None:
    """Train what is not trained, evaluate, and write JSON and table."""
    known = json.loads(out.read_text()) if out.exists() else {"rows": [], "commands": {}}
    rows: list[dict[str, Any]] = known["rows"]
    for place, motions, seed in _plan(main_only):
        if place not in only:
            continue
        folder = os.path.relpath(recordings.resolve() / place, commands.build)
        name = "demo" if seed is None else _train(commands, place, folder, motions, seed)
        key = {"place": place, "motions": motions, "seed": seed}
        found = [row for row in rows if {k: row[k] for k in key} == key] or [key]
        _complete(found[0], commands, name, folder + LESSONS[place].reported)
        rows = [row for row in rows if row is not found[0]] + [found[0]]
        content = {"rows": rows, "commands": {**known["commands"], **commands.commands}}
        out.write_text(json.dumps(content, indent=1) + "\n")
        out.with_suffix(".md").write_text(table(rows))


def _plan(main_only: bool) -> Iterator[tuple[str, str, int | None]]:
    """Place, motions and seed of each model: the bundled one, then those that learn."""
    yield from ((place, BUNDLED, None) for place in LESSONS)
    for seed in SEEDS:
        yield from ((place, motions, seed) for place in LESSONS for motions in MAIN)
    if not main_only:
        further = [motions for motions in MOTIONS if motions not in MAIN]
        yield from ((place, motions, SEEDS[0]) for motions in further for place in LESSONS)


def _train(commands: MonodepthCommands, place: str, folder: str, motions: str, seed: int) -> str:
    """The name of a model, trained unless it is there."""
    lesson, (recipe, settings) = LESSONS[place], MOTIONS[motions]
    name = f"{place}_{motions.replace(', ', '_').replace(' ', '_')}_{seed}"
    keys = (
        *settings, f"data.stride={lesson.stride}", f"trainer.seed={seed}",
        f"trainer.batch_size={BATCH}", f"trainer.max_steps={STEPS}",
        f"trainer.threads={commands.threads}", "trainer.pictures_every=0",
        "trainer.checkpoint_minutes=2", "schedule.epochs=100", "data.cache=cache",
    )  # fmt: skip
    options = [word for key in keys for word in ("--set", key)]
    commands.train(
        name, recipe, "--data", folder + lesson.learnt, "--init", "demo",
        "--checkpoint", "last", *options,
    )  # fmt: skip
    return name


def _complete(row: dict[str, Any], commands: MonodepthCommands, model: str, data: str) -> None:
    """Add the figures that a row lacks."""
    of = ("--model", model, "--data", data, "--json")
    if "abs_rel" not in row:
        told = commands.run(f"{model} on {data}", "evaluate", "depth", *of)
        row |= {key: json.loads(told)[key] for key in ("abs_rel", "a1")}
    for method in METHODS:
        if f"ate_{method}" not in row:
            name = f"{model} by {method} on {data}"
            told = commands.run(name, "evaluate", "odometry", *of, "--method", method)
            row[f"ate_{method}"] = json.loads(told)["ate_m"]


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each place and kind of motions."""
    lines = [
        "The bundled model, trained on video of a place by different motions: the same weights to",
        f"begin with, frames, and {STEPS} steps of {BATCH}. Median-scaled depth and ATE (7 DoF, m)",
        "of later frames. Rebuilt by",
        "`python benchmark/finetuning.py --build build --recordings RECORDINGS --motions`.",
        "",
        "Means over seeds, and each seed's.",
        "",
        "| place | views by motions | abs_rel | a1 | ATE, network | ATE, geometry |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["place"], row["motions"]), []).append(row)
    for (place, motions), group in sorted(groups.items(), key=lambda item: item[0][0]):
        cells = [_cell(group, key) for key in ("abs_rel", "a1", *(f"ate_{m}" for m in METHODS))]
        lines.append(f"| {' | '.join((place, motions, *cells))} |")
    return "\n".join(lines) + "\n"


def _cell(group: list[dict[str, Any]], key: str) -> str:
    """The mean of a figure, and each value where there are several."""
    values = [row[key] for row in group if key in row]
    each = f" ({', '.join(f'{value:.3f}' for value in values)})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{each}" if values else ""
