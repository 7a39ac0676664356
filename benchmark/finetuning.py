"""What tuning on a recording gains there, and what it costs elsewhere.

    python benchmark/finetuning.py --build build --recordings ../shared/data

The bundled model learns from bags that hold a camera's images alone, as `monodepth tune` does on a
robot, and is measured on later frames of the same place and on made-up worlds that it has never
seen. The test worlds are those of benchmark/learning.py, rendered unless they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from camera_bag import write_camera_bag
from monodepth_commands import MonodepthCommands

from monodepth_ros.data.open_sequence import open_sequence

RESULTS = Path(__file__).parent / "results"
# Recording -> frames to learn from, later frames to test on, and its images a second.
PLACES = {
    "7scenes_redkitchen": ("@0:300", "@300:400", 30.0),
    "hololens_office": ("@0:180", "@180:240", 5.0),
}
WORLDS = {"rooms": (200, 201), "street": (200, 201)}
FIGURES = ("abs_rel", "a1", "median_ratio")


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
    parser.add_argument("--set", dest="settings", nargs="*", default=[], help="recipe keys")
    parser.add_argument("--tag", default="", help="of the tunings' names, for other settings")
    parser.add_argument("--out", type=Path, default=RESULTS / "finetuning.json")
    arguments = parser.parse_args()
    commands = MonodepthCommands(arguments.build.resolve(), arguments.threads)
    worlds = {
        world: [commands.render(world, seed, 60) for seed in seeds]
        for world, seeds in WORLDS.items()
    }
    rows = []
    for place in arguments.only:
        minutes = tune(commands, arguments, place)
        model = f"tunings/{name_of(place, arguments.tag)}/{name_of(place, arguments.tag)}"
        recording = os.path.relpath(arguments.recordings.resolve() / place, commands.build)
        tests = {place: [f"{recording}{PLACES[place][1]}"], **worlds}
        for test, data in tests.items():
            before, after = (evaluate(commands, name, data) for name in ("demo", model))
            change = after["abs_rel"] / before["abs_rel"] - 1.0
            rows.append(
                {"tuned_on": place, "test": test, "before": before, "after": after,
                 "change": change, "minutes": minutes}
            )  # fmt: skip
            print(f"{place} on {test}: {before['abs_rel']:.4f} -> {after['abs_rel']:.4f}")
    write(rows, commands.commands, arguments.out)


def name_of(place: str, tag: str) -> str:
    """The tuning's, and its model's."""
    return f"tuned_{place}{tag}"


def tune(commands: MonodepthCommands, arguments: argparse.Namespace, place: str) -> float:
    """Tune on a bag of a place, unless it was done; the minutes that it took, all in all."""
    bag = commands.build / "bags" / place
    if not bag.exists():
        part, _, rate = PLACES[place]
        (recording,) = open_sequence(f"{arguments.recordings.resolve() / place}{part}")
        write_camera_bag(recording, bag, rate)
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


def evaluate(commands: MonodepthCommands, model: str, data: list[str]) -> dict[str, float]:
    """Median-scaled figures of a model."""
    options = [word for path in data for word in ("--data", path)]
    told = commands.run(
        f"{model} on {data[0]}", "evaluate", "depth", "--model", model, *options, "--json"
    )
    return {key: json.loads(told)[key] for key in FIGURES}


def write(rows: list[dict[str, object]], commands: dict[str, str], out: Path) -> None:
    """JSON with every figure and command, and the table."""
    out.write_text(json.dumps({"rows": rows, "commands": commands}, indent=1) + "\n")
    lines = [
        "The bundled model, tuned on video of a place without truth by `monodepth tune`: abs_rel,",
        "median-scaled, on later frames of the place and on made-up worlds that no training saw.",
        "Rebuilt by `python benchmark/finetuning.py --build build --recordings RECORDINGS`.",
        "",
        "| tuned on | test | before | after | change | minutes |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        before, after = (row[key]["abs_rel"] for key in ("before", "after"))  # type: ignore[index]
        lines.append(
            f"| {row['tuned_on']} | {row['test']} | {before:.3f} | {after:.3f}"
            f" | {row['change']:+.0%} | {row['minutes']:.1f} |"
        )
    out.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
