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
from dataclasses import dataclass
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
PARTS = ("true depth, for the teacher alone", "images alone, for the pupils", "reported")
RATES = {"7scenes_redkitchen": 30.0, "hololens_office": 5.0}  # images a second
STEPS, BATCH = 80, 6
TEACHER_MINUTES = 14


@dataclass(frozen=True)
class Pupil:
    """A recipe and what is changed of it; without ``steps`` it gets the minutes of the first."""

    settings: tuple[str, ...] = ()
    recipe: str = "distill"
    steps: int | None = STEPS
    evenly: bool = False  # the office as a set of its own, with as many frames in each batch

    @property
    def batch(self) -> int:
        """Samples of all sets."""
        sets = self.evenly + any(key.startswith("mix=") for key in self.settings)
        return BATCH * (1 + sets)


_OPEN = ("losses.scale_shift_invariant.shift=open", "losses.gradient_matching.shift=open")
_WORLDS = ", ".join(str(KNOWN / world) for world in ("rooms", "glossy_rooms"))
_TRUTH = f"mix={{worlds: {{data: [{_WORLDS}], losses: {{supervised: {{}}}}}}}}"
_LEAST_SQUARES = (
    "losses.scale_shift_invariant.form=least_squares",
    "losses.gradient_matching.form=least_squares",
)
FULL, VIEWS = "distill", "view synthesis alone, same minutes"
MAIN = {
    FULL: Pupil(),
    VIEWS: Pupil(("schedule.epochs=1000",), "lite", steps=None),
    "distill, both places evenly": Pupil(evenly=True),
}
ABLATIONS = {
    "without view synthesis": Pupil(("losses.photometric=null", "losses.smoothness=null")),
    "without gradient matching": Pupil(("losses.gradient_matching=null",)),
    "without the scale-and-shift-invariant loss": Pupil(("losses.scale_shift_invariant=null",)),
    "without perturbation": Pupil(("data.augmentation.perturbation=null",)),
    "shift left open": Pupil(_OPEN),
    "shift left open, mixed with true depth of synthetic places": Pupil((*_OPEN, _TRUTH)),
    "least squares": Pupil(_LEAST_SQUARES),
    "trimmed by 20 %": Pupil(("losses.scale_shift_invariant.trim=0.2",)),
    "without CutMix": Pupil(("data.augmentation.perturbation.cutmix=0",)),
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

    def complete(name: str, model: str, **about: Any) -> None:
        row = rows.setdefault(name, {"model": name})
        row |= about
        for place in PLACES:
            evaluate(commands, row, model, place, recordings)
        content = {
            "frames": {"parts": PARTS, **PLACES},
            "batch": BATCH,
            "rows": list(rows.values()),
            "commands": {**known.get("commands", {}), **commands.commands},
        }
        arguments.out.write_text(json.dumps(content, indent=1) + "\n")
        arguments.out.with_suffix(".md").write_text(table(rows))

    teach_teacher(commands, recordings)
    complete("teacher", "teacher")
    complete("bundled model", "demo")
    bags = write_bags(commands, arguments.recordings)
    for name, pupil in {**MAIN, **ABLATIONS}.items():
        limit = rows[FULL]["minutes"] if pupil.steps is None else None
        minutes = teach_pupil(commands, name, pupil, bags, limit)
        complete(name, model_of(name), minutes=minutes, steps=pupil.steps)


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
    commands: MonodepthCommands, name: str, pupil: Pupil, bags: list[str], limit: float | None
) -> float:
    """Unless it is there; the minutes that it took, labels included."""
    model = model_of(name)
    end = f"max_steps={pupil.steps}" if limit is None else f"max_minutes={limit}"
    keys = [
        *pupil.settings, f"trainer.{end}", f"trainer.batch_size={pupil.batch}",
        f"trainer.threads={commands.threads}", "trainer.pictures_every=0",
        "trainer.checkpoint_minutes=2", "trainer.log_every=10", "data.cache=cache",
    ]  # fmt: skip
    if pupil.evenly:
        bags, office = bags[:1], bags[1]
        losses = "{scale_shift_invariant: {}, gradient_matching: {}}"
        keys.append(f"mix={{office: {{data: [{office}], losses: {losses}}}}}")
    source = ("--teacher", "teacher") if pupil.recipe == "distill" else ("--init", "demo")
    took = commands.build / "runs" / f"{model}_minutes.txt"
    began = time.monotonic()
    commands.train(
        model, pupil.recipe, *options("--data", bags), *source, *options("--set", keys),
        "--checkpoint", "last",
    )  # fmt: skip
    if not took.exists():
        took.write_text(f"{(time.monotonic() - began) / 60:.2f}\n")
    return float(took.read_text())


def evaluate(
    commands: MonodepthCommands, row: dict[str, Any], model: str, place: str, recordings: Path
) -> None:
    """Add the figures that a row lacks: of depth, and of odometry by the pose network.

    Of ablations, aligned depth alone, and where the shift is in question the median's too.
    """
    data = str(recordings / place) + PLACES[place][2]
    both = row["model"] not in ABLATIONS or "open" in row["model"]
    for scaling in SCALINGS if both else SCALINGS[:1]:
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


def table(rows: dict[str, dict[str, Any]]) -> str:
    """A line for each model; ablations by themselves."""
    lines = [
        "Pupils of the bundled architecture at 192x128, taught on video without ground truth from",
        f"the bundled weights: {STEPS} steps of {BATCH}, or the same minutes. The teacher stands",
        "in for a foundation model: the same architecture at 256x192, taught by true depth of",
        f"other frames of both places and of synthetic ones for {TEACHER_MINUTES} minutes. One run",
        "each. Rebuilt by",
        "`python benchmark/distillation.py --build build --recordings RECORDINGS`.",
        "",
        "| frames | red kitchen | office |",
        "|---|---|---|",
    ]
    for number, what in enumerate(PARTS):
        cells = [part[number].lstrip("@") for part in PLACES.values()]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    lines += [
        "",
        "abs_rel after alignment by scale and shift of inverse depth in each image, its ratio to",
        "the teacher's, and abs_rel after the median's alone. ATE by the pose network (7 DoF, m).",
        "Minutes are of a machine that others used too.",
        "",
    ]
    lines += section(rows, [name for name in rows if name not in ABLATIONS])
    ablations = [name for name in rows if name in ABLATIONS]
    if ablations:
        lines += ["", f"What each part gives, to {FULL}:", "", *section(rows, ablations)]
    return "\n".join(lines) + "\n"


def section(rows: dict[str, dict[str, Any]], names: list[str]) -> list[str]:
    """The lines of some models."""
    lines = [
        "| model | minutes | kitchen, aligned | to teacher | office, aligned | to teacher |"
        " kitchen, median | office, median | kitchen, ATE | office, ATE |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        row = rows[name]
        cells = [name, f"{row['minutes']:.1f}" if "minutes" in row else ""]
        for place in PLACES:
            error = row[f"{place} affine"]["abs_rel"]
            ratio = error / rows["teacher"][f"{place} affine"]["abs_rel"]
            cells += [f"{error:.3f}", f"{ratio:.2f}"]
        medians = (row.get(f"{place} median") for place in PLACES)
        cells += ["" if figures is None else f"{figures['abs_rel']:.3f}" for figures in medians]
        ates = (row.get(f"{place} ate_m") for place in PLACES)
        cells += ["" if ate is None else f"{ate:.3f}" for ate in ates]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
