"""What tuning on a recording gains there, and what it costs elsewhere.

    python benchmark/finetuning.py --build build --recordings ../shared/data

The bundled model learns from bags that hold a camera's images alone, as `monodepth tune` does on a
robot. It is measured on later frames of the same place and on synthetic worlds that it has never
seen. Frames right behind those of training look much like them, so frames further on are measured
too if there are any. The mean depth map of the training frames is the baseline. The test worlds are
those of benchmark/learning.py, rendered unless they are there.
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
from common.motion_comparison import compare

from monodepth_ros.data.open_sequence import open_sequence

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Place:
    """A recording: frames to learn from, later frames to test on, and its images a second."""

    learnt: tuple[int, int]
    tests: tuple[tuple[int, int], ...]
    rate: float


PLACES = {
    "7scenes_redkitchen": Place((0, 300), ((300, 400), (400, 700)), 30.0),
    "hololens_office": Place((0, 180), ((180, 240),), 5.0),
}
WORLDS = {"rooms": (200, 201), "street": (200, 201)}
FIGURES = ("abs_rel", "a1", "median_ratio")
RESIZE = "bilinear"  # antialiased, as live frames are; earlier rows say lanczos


def main() -> None:
    """Tune on each place and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True, help="folder of worlds and tunings")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of real recordings")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=18.0, help="of training")
    parser.add_argument("--only", nargs="*", choices=list(PLACES), default=list(PLACES))
    parser.add_argument("--no-worlds", action="store_true", help="measure on the place alone")
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="recipe keys")
    parser.add_argument("--tag", default="", help="of the tunings' names, for other settings")
    parser.add_argument("--out", type=Path, default=RESULTS / "finetuning.json")
    parser.add_argument(
        "--motions", action="store_true", help="compare whose motions depth is learnt by, instead"
    )
    parser.add_argument("--main-only", action="store_true", help="of the motions, three kinds")
    arguments = parser.parse_args()
    commands = MonodepthCommands(arguments.build.resolve(), arguments.threads)
    if arguments.motions:
        out = arguments.out.with_name(f"{arguments.out.stem}_motions.json")
        compare(commands, arguments.recordings, arguments.only, out, arguments.main_only)
        return
    worlds = {
        world: [commands.render(world, seed, 60) for seed in seeds]
        for world, seeds in ({} if arguments.no_worlds else WORLDS).items()
    }
    rows: list[dict[str, Any]] = []
    for place in arguments.only:
        minutes = tune(commands, arguments, place)
        model = f"tunings/{name_of(place, arguments.tag)}/{name_of(place, arguments.tag)}"
        recording = os.path.relpath(arguments.recordings.resolve() / place, commands.build)
        learnt = frames(PLACES[place].learnt)
        parts = [frames(part) for part in PLACES[place].tests]
        tests = {place + part: [recording + part] for part in parts}
        for test, data in {**tests, **worlds}.items():
            before, after = (
                evaluate(commands, f"{name} on {data[0]}", ["--model", name], data)
                for name in ("demo", model)
            )
            row: dict[str, Any] = {"tuned_on": f"{place}{learnt}", "test": test}
            row |= {"before": before, "after": after, "minutes": minutes, "resize": RESIZE}
            row["change"] = after["abs_rel"] / before["abs_rel"] - 1.0
            if test in tests:
                start = int(test.rpartition("@")[2].partition(":")[0])
                row["gap_frames"] = start - PLACES[place].learnt[1]
                row["gap_seconds"] = row["gap_frames"] / PLACES[place].rate
                constant = ["--constant-from", recording + learnt]
                row["mean_map"] = evaluate(commands, f"mean map on {data[0]}", constant, data)
            rows.append(row)
            print(f"{place} on {test}: {before['abs_rel']:.4f} -> {after['abs_rel']:.4f}")
    write(rows, commands.commands, arguments.out)


def frames(part: tuple[int, int]) -> str:
    """How a command names a part of a recording."""
    return f"@{part[0]}:{part[1]}"


def name_of(place: str, tag: str) -> str:
    """The tuning's, and its model's."""
    return f"tuned_{place}{tag}"


def tune(commands: MonodepthCommands, arguments: argparse.Namespace, place: str) -> float:
    """Tune on a bag of a place, unless it was done; the minutes that it took, all in all."""
    bag = commands.build / "bags" / place
    if not bag.exists():
        learnt = frames(PLACES[place].learnt)
        (recording,) = open_sequence(f"{arguments.recordings.resolve() / place}{learnt}")
        write_camera_bag(recording, bag, PLACES[place].rate)
    name = name_of(place, arguments.tag)
    took = commands.build / "tunings" / name / "minutes.txt"
    options = [word for setting in arguments.settings for word in ("--set", setting)]
    command = [
        "tune", os.path.relpath(bag, commands.build), "--out", f"tunings/{name}",
        "--minutes", str(arguments.minutes), "--threads", str(arguments.threads), *options,
    ]  # fmt: skip
    if took.exists():
        commands.note(name, *command)
    else:
        began = time.monotonic()
        commands.run(name, *command)
        took.write_text(f"{(time.monotonic() - began) / 60:.2f}\n")
    return float(took.read_text())


def evaluate(
    commands: MonodepthCommands, name: str, source: list[str], data: list[str]
) -> dict[str, float]:
    """Median-scaled figures of a model, or of a mean depth map."""
    options = [word for path in data for word in ("--data", path)]
    told = commands.run(name, "evaluate", "depth", *source, *options, "--json")
    return {key: json.loads(told)[key] for key in FIGURES}


def write(rows: list[dict[str, Any]], commands: dict[str, str], out: Path) -> None:
    """JSON with every figure and command, and the table; rows of other tests stay as they are."""
    if out.exists():
        known = json.loads(out.read_text())
        new = {(row["tuned_on"], row["test"]) for row in rows}
        kept = [row for row in known["rows"] if (row["tuned_on"], row["test"]) not in new]
        rows = sorted([*rows, *kept], key=lambda row: row["tuned_on"])
        commands = {**known["commands"], **commands}
    out.write_text(json.dumps({"rows": rows, "commands": commands}, indent=1) + "\n")
    lines = [
        "The bundled model, tuned by `monodepth tune` on video of a place without ground truth:",
        "abs_rel, median-scaled, on later frames of the place and on synthetic worlds that no",
        "training has seen. Rebuilt by",
        "`python benchmark/finetuning.py --build build --recordings RECORDINGS`.",
        "",
        "| column | meaning |",
        "|---|---|",
        "| gap | between the last training frame and the first test frame |",
        "| mean map | abs_rel of the mean depth map of the training frames |",
        "| minutes | duration of the tuning |",
        "| resize | kernel that resized images to the network's size; worlds are rendered at it |",
        "",
        "| tuned on | test | gap | mean map | before | after | change | minutes | resize |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        before, after = (row[key]["abs_rel"] for key in ("before", "after"))
        gap = f"{row['gap_seconds']:.1f} s" if "gap_seconds" in row else ""
        mean_map = f"{row['mean_map']['abs_rel']:.3f}" if "mean_map" in row else ""
        lines.append(
            f"| {row['tuned_on']} | {row['test']} | {gap} | {mean_map} | {before:.3f} | {after:.3f}"
            f" | {row['change']:+.0%} | {row['minutes']:.1f} | {row['resize']} |"
        )
    notes: dict[str, list[str]] = {}
    for row in rows:
        if "note" in row:
            notes.setdefault(row["note"], []).append(f"{row['tuned_on']} on {row['test']}")
    lines += [f"\n{', '.join(told)}: {note}" for note, told in notes.items()]
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
