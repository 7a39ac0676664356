"""What a pupil learns from a teacher on video without ground truth, loss by loss.

    python benchmark/distillation.py --build build --recordings ../shared/data

A stand-in for a foundation model, whose weights cannot be part of this: the bundled architecture at
a larger size, taught with true depth of other frames of the same places and of synthetic ones. Its
pupils start from the bundled model and see bags that hold a camera's images alone, of frames that
the teacher has not seen. All are measured on frames that neither has seen, at least 30 frames on.
Two hours on two cores; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from common.camera_bag import write_camera_bag
from common.monodepth_commands import MonodepthCommands

from monodepth_ros.data.open_sequence import open_sequence

RESULTS = Path(__file__).parent / "results"
KNOWN = Path(__file__).resolve().parents[1] / "training" / "known_scenes" / "replay"
# Of a place: what the teacher gets with true depth, what pupils see, and what is reported.
PLACES = {
    "7scenes_redkitchen": ("@0:120:2", "@150:300", "@350:700:5"),
    "hololens_office": ("@0:40", "@70:100", "@130:240:2"),
}
RATES = {"7scenes_redkitchen": 30.0, "hololens_office": 5.0}  # images a second
STEPS, BATCH = 80, 6
TEACHER_MINUTES = 14
_NO_VIEWS = ("losses.photometric=null", "losses.smoothness=null")
_NO_TEACHER = (
    "losses.scale_shift_invariant=null",
    "losses.gradient_matching=null",
    "data.augmentation.perturbation=null",
)
_OPEN = ("losses.scale_shift_invariant.shift=open", "losses.gradient_matching.shift=open")
_WORLDS = ",".join(str(KNOWN / world) for world in ("rooms", "glossy_rooms"))
FULL, VIEWS = "distill", "view synthesis alone, same minutes"
PUPILS: dict[str, tuple[str, tuple[str, ...]]] = {
    FULL: ("distill", ()),
    VIEWS: ("lite", ("schedule.epochs=1000",)),
    "without view synthesis": ("distill", _NO_VIEWS),
    "without gradient matching": ("distill", ("losses.gradient_matching=null",)),
    "without the scale-and-shift-invariant loss": (
        "distill",
        ("losses.scale_shift_invariant=null",),
    ),
    "without perturbation": ("distill", ("data.augmentation.perturbation=null",)),
    "as if the teacher's shift were unknown": ("distill", _OPEN),
    "as if unknown, mixed evenly with true depth of synthetic places": (
        "distill",
        (*_OPEN, f"mix={{worlds: {{data: [{_WORLDS}], losses: {{supervised: {{}}}}}}}}"),
    ),
    "least squares": (
        "distill",
        (
            "losses.scale_shift_invariant.form=least_squares",
            "losses.gradient_matching.form=least_squares",
        ),
    ),
    "trimmed by 20 %": ("distill", ("losses.scale_shift_invariant.trim=0.2",)),
    "without the teacher": ("distill", _NO_TEACHER),
    "without CutMix": ("distill", ("data.augmentation.perturbation.cutmix=0",)),
}
FIGURES = ("abs_rel", "a1")
SCALINGS = ("affine", "median")


def main() -> None:
    """Teach the teacher and the pupils, evaluate, and write JSON and table after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True, help="folder of models and runs")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of real recordings")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "distillation.json")
    arguments = parser.parse_args()
    commands = MonodepthCommands(arguments.build.resolve(), arguments.threads)
    commands.build.mkdir(parents=True, exist_ok=True)
    recordings = Path(os.path.relpath(arguments.recordings.resolve(), commands.build))
    known = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"rows": []}
    rows: dict[str, dict[str, Any]] = {row["model"]: row for row in known["rows"]}

    def complete(name: str, model: str, minutes: float | None = None) -> None:
        row = rows.setdefault(name, {"model": name})
        if minutes is not None:
            row["minutes"] = minutes
        for place in PLACES:
            evaluate(commands, row, model, place, recordings)
        content = {
            "teacher": {place: parts[0] for place, parts in PLACES.items()},
            "pupils": {place: parts[1] for place, parts in PLACES.items()},
            "reported": {place: parts[2] for place, parts in PLACES.items()},
            "steps": STEPS,
            "batch": BATCH,
            "rows": list(rows.values()),
            "commands": {**known.get("commands", {}), **commands.commands},
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(table(list(rows.values())))

    teach_teacher(commands, recordings)
    complete("teacher", "teacher")
    complete("bundled model", "demo")
    bags = write_bags(commands, arguments.recordings)
    minutes: dict[str, float] = {}
    for name, (recipe, settings) in PUPILS.items():
        limit = minutes[FULL] if name == VIEWS else None
        minutes[name] = teach_pupil(commands, name, recipe, settings, bags, limit)
        complete(name, model_of(name), minutes[name])


def teach_teacher(commands: MonodepthCommands, recordings: Path) -> None:
    """With true depth, from the bundled model's weights."""
    data = [str(recordings / place) + parts[0] for place, parts in PLACES.items()]
    data += [os.path.relpath(KNOWN / world, commands.build) for world in ("rooms", "glossy_rooms")]
    keys = (
        "networks.init.imagenet_encoder=null", "networks.uncertainty=0", "data.size=256x192",
        "trainer.batch_size=8", f"trainer.max_minutes={TEACHER_MINUTES}",
        f"trainer.threads={commands.threads}", "trainer.pictures_every=0",
        "trainer.checkpoint_minutes=3", "optimizer.lr=4e-4", "data.cache=cache",
    )  # fmt: skip
    commands.train(
        "teacher", "demo", *options("--data", data), "--init", "demo", *options("--set", keys),
        "--checkpoint", "last", "--scale", "relative",
    )  # fmt: skip


def write_bags(commands: MonodepthCommands, recordings: Path) -> list[str]:
    """What the pupils see: no true depth, and no poses by which frames could be chosen."""
    bags = []
    for place, (_, seen, _) in PLACES.items():
        bag = commands.build / "bags" / place
        if not bag.exists():
            bag.parent.mkdir(exist_ok=True)
            (recording,) = open_sequence(f"{recordings.resolve() / place}{seen}")
            write_camera_bag(recording, bag, RATES[place])
        bags.append(os.path.relpath(bag, commands.build))
    return bags


def teach_pupil(
    commands: MonodepthCommands,
    name: str,
    recipe: str,
    settings: tuple[str, ...],
    bags: list[str],
    limit: float | None,
) -> float:
    """Unless it is there; the minutes that it took, labels included."""
    model = model_of(name)
    end = f"max_steps={STEPS}" if limit is None else f"max_minutes={limit}"
    batch = BATCH if not any(key.startswith("mix=") for key in settings) else 2 * BATCH
    keys = (
        *settings, f"trainer.{end}", f"trainer.batch_size={batch}",
        f"trainer.threads={commands.threads}", "trainer.pictures_every=0",
        "trainer.checkpoint_minutes=2", "trainer.log_every=10", "data.cache=cache",
    )  # fmt: skip
    teacher = ("--teacher", "teacher") if recipe == "distill" else ("--init", "demo")
    took = commands.build / "runs" / f"{model}_minutes.txt"
    began = time.monotonic()
    commands.train(
        model, recipe, *options("--data", bags), *teacher, *options("--set", keys),
        "--checkpoint", "last",
    )  # fmt: skip
    if not took.exists():
        took.write_text(f"{(time.monotonic() - began) / 60:.2f}\n")
    return float(took.read_text())


def evaluate(
    commands: MonodepthCommands, row: dict[str, Any], model: str, place: str, recordings: Path
) -> None:
    """Add the figures that a row lacks: of depth, and of odometry by the pose network."""
    data = str(recordings / place) + PLACES[place][2]
    for scaling in SCALINGS:
        key = f"{place} {scaling}"
        if key not in row:
            told = commands.run(
                f"{model} on {data}, {scaling}", "evaluate", "depth", "--model", model,
                "--data", data, "--scaling", scaling, "--json",
            )  # fmt: skip
            row[key] = {figure: json.loads(told)[figure] for figure in FIGURES}
    key = f"{place} ate_m"
    if key not in row and row["model"] in ("bundled model", FULL, VIEWS):
        whole = data.rpartition(":")[0]
        told = commands.run(
            f"{model} odometry on {whole}", "evaluate", "odometry", "--model", model,
            "--data", whole, "--method", "network", "--json",
        )  # fmt: skip
        row[key] = json.loads(told)["ate_m"]


def model_of(name: str) -> str:
    """The folder's name of a pupil."""
    return "pupil_" + "".join(c if c.isalnum() else "_" for c in name.lower())


def options(option: str, values: Any) -> list[str]:
    """One option for each value."""
    return [word for value in values for word in (option, value)]


def table(rows: list[dict[str, Any]]) -> str:
    """A line for each model."""
    teacher = next(row for row in rows if row["model"] == "teacher")
    lines = [
        "Pupils of the bundled architecture, taught on video without ground truth from the bundled",
        f"weights: {STEPS} steps of {BATCH} at 192x128. The teacher is a stand-in for a foundation",
        "model: the same architecture at 256x192, taught with true depth of other frames of both",
        f"places and of synthetic ones for {TEACHER_MINUTES} minutes. Rebuilt by",
        "`python benchmark/distillation.py --build build --recordings RECORDINGS`.",
        "",
        "| frames | red kitchen | office |",
        "|---|---|---|",
    ]
    parts = (
        "true depth, for the teacher alone",
        "images alone, for the pupils",
        "reported",
    )
    for number, what in enumerate(parts):
        cells = [part[number].lstrip("@") for part in PLACES.values()]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    lines += [
        "",
        "abs_rel after alignment by scale and shift of inverse depth in each image, its ratio to",
        "the teacher's, and abs_rel after the median's alone. ATE by the pose network (7 DoF, m).",
        "",
        "| model | minutes | kitchen, aligned | to teacher | office, aligned | to teacher |"
        " kitchen, median | office, median | kitchen, ATE | office, ATE |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["model"], f"{row['minutes']:.1f}" if "minutes" in row else ""]
        for place in PLACES:
            error = row[f"{place} affine"]["abs_rel"]
            ratio = error / teacher[f"{place} affine"]["abs_rel"]
            cells += [f"{error:.3f}", f"{ratio:.2f}"]
        cells += [f"{row[f'{place} median']['abs_rel']:.3f}" for place in PLACES]
        ates = (row.get(f"{place} ate_m") for place in PLACES)
        cells += ["" if ate is None else f"{ate:.3f}" for ate in ates]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
