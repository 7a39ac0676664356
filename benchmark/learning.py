"""Rebuilds the learning table: renders the worlds, trains every model, evaluates them all.

    python benchmark/learning.py --build build --recordings ../shared/data

Every step is a `monodepth` command, printed before it runs and kept in the results. What stands
in the build folder already is not made again, so an interrupted rebuild continues.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
SIZE = ["--width", "192", "--height", "128"]
WORLDS = {"rooms": 14, "street": 8}  # training sequences of 100 frames each
VALIDATION_SEEDS, TEST_SEEDS = (100, 101), (200, 201)
RECORDINGS = {
    "7scenes_redkitchen": ("@0:600", "@600:700:5"),
    "hololens_office": ("@0:200", "@200:240"),
}


@dataclass(frozen=True)
class Training:
    """One `monodepth train`: its recipe, what it sees, and what it starts from."""

    recipe: str
    data: str  # "worlds" or a recording
    minutes: float
    init: str | None = None
    settings: tuple[str, ...] = ()
    select: str = "last"  # "best" only where the validation is not of the test scene


TRAININGS = {
    "demo_depth": Training("training/demo_depth.yaml", "worlds", 32, select="best"),
    "demo": Training(
        "training/demo.yaml", "worlds", 12, settings=("networks.init.depth=demo_depth",)
    ),
    "self_supervised_worlds": Training("training/slim.yaml", "worlds", 42),
}
for _recording, _short in (("7scenes_redkitchen", "redkitchen"), ("hololens_office", "hololens")):
    TRAININGS[f"{_short}_from_random"] = Training("training/slim.yaml", _recording, 15)
    TRAININGS[f"{_short}_from_demo"] = Training(
        "training/slim.yaml", _recording, 15, "demo", ("optimizer.lr=1e-4",)
    )


@dataclass
class Rebuild:
    """Runs commands inside the build folder, so that every path in them is relative."""

    build: Path
    recordings: Path
    threads: int
    commands: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, *arguments: str) -> str:
        """Run ``monodepth`` with ``arguments``, keep the command, return what it printed."""
        self.commands[name] = shlex.join(["monodepth", *arguments])
        print(f"[{name}] {self.commands[name]}", flush=True)
        program = [str(Path(sys.executable).with_name("monodepth")), *arguments]
        environment = {**os.environ, "MONODEPTH_MODELS": "models"}
        done = subprocess.run(
            program, cwd=self.build, env=environment, stdout=subprocess.PIPE, text=True
        )
        if done.returncode:
            sys.exit(f"{name}: exit {done.returncode}")
        return done.stdout

    def render(self) -> None:
        """All sequences of the worlds; `synth` itself continues what is not complete."""
        for world, count in WORLDS.items():
            for seed in (*range(count), *VALIDATION_SEEDS, *TEST_SEEDS):
                frames = "100" if seed < VALIDATION_SEEDS[0] else "60"
                out = f"worlds/{world}_{seed:03d}"
                self.commands[out] = shlex.join(
                    ["monodepth", "synth", world, "--out", out]
                    + ["--seed", str(seed), "--frames", frames, *SIZE]
                )
                if not _complete(self.build / out, int(frames)):
                    self.run(out, *shlex.split(self.commands[out])[1:])

    def train(self, name: str, job: Training) -> None:
        """Train one model into ``models/<name>``, unless it is there."""
        command = ["train", job.recipe, "--out", f"runs/{name}", "--export", f"models/{name}"]
        command += ["--checkpoint", job.select]
        if job.data == "worlds":
            # Metres of made-up places mean little in real ones: measured, see the table.
            command += ["--licence", "CC0-1.0", "--scale", "relative"]
            for world, count in WORLDS.items():
                for seed in range(count):
                    command += ["--data", f"worlds/{world}_{seed:03d}"]
                for seed in VALIDATION_SEEDS:
                    command += ["--val", f"worlds/{world}_{seed:03d}"]
        else:
            command += ["--data", self._recording(job.data, RECORDINGS[job.data][0])]
        if job.init is not None:
            command += ["--init", job.init]
        for setting in job.settings:
            command += ["--set", setting]
        command += ["--set", f"trainer.max_minutes={job.minutes}"]
        command += ["--set", f"trainer.threads={self.threads}"]
        if (self.build / "models" / name / "card.yaml").exists():
            self.commands[name] = shlex.join(["monodepth", *command])
        else:
            resume = ["--resume"] if (self.build / "runs" / name).exists() else []
            self.run(name, *command, *resume)

    def evaluate(self, name: str, model: list[str], data: list[str]) -> dict[str, float]:
        """The depth figures of one model on one test set, protocol `plain`."""
        sequences = [argument for path in data for argument in ("--data", path)]
        out = self.run(name, "evaluate", "depth", *model, *sequences, "--json")
        return json.loads(out)

    def _recording(self, name: str, part: str) -> str:
        return os.path.relpath(self.recordings / name, self.build) + part

    def tests(self) -> dict[str, list[str]]:
        """Test sets: sequences of places that no training has seen, and ends of recordings."""
        sets = {w: [f"worlds/{w}_{seed}" for seed in TEST_SEEDS] for w in WORLDS}
        return sets | {name: [self._recording(name, RECORDINGS[name][1])] for name in RECORDINGS}

    def table(self) -> list[dict[str, object]]:
        """One row for each model and test set that belong together."""
        worlds, rows = tuple(WORLDS), []
        plan: list[tuple[str, tuple[str, ...]]] = [
            ("self_supervised_worlds", worlds),
            ("demo", (*worlds, *RECORDINGS)),
        ]
        for name, job in TRAININGS.items():
            if job.data in RECORDINGS:
                plan.append((name, (job.data,)))
        for name, sets in plan:
            if (self.build / "models" / name / "card.yaml").exists():
                for test in sets:
                    key = f"{name} on {test}"
                    figures = self.evaluate(key, ["--model", name], self.tests()[test])
                    rows.append({"model": name, "test": test, **figures})
        for test, (training, _) in RECORDINGS.items():
            source = ["--constant-from", self._recording(test, training)]
            figures = self.evaluate(f"constant on {test}", source, self.tests()[test])
            rows.append({"model": "best constant", "test": test, **figures})
        return rows


def _complete(sequence: Path, frames: int) -> bool:
    table = sequence / "frames.csv"
    return table.exists() and len(table.read_text().splitlines()) == frames + 1


def write_results(rows: list[dict[str, object]], commands: dict[str, str]) -> None:
    """``learning.json`` with every figure and command, ``learning.md`` with the table."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "learning.json").write_text(
        json.dumps({"rows": rows, "commands": commands}, indent=1) + "\n"
    )
    lines = [
        "Median-scaled depth on frames that no training has seen; rebuilt by",
        "`python benchmark/learning.py --build build --recordings RECORDINGS`. Every command is in",
        "`learning.json`.",
        "",
        "| model | test frames | images | abs_rel | rmse | a1 | median ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['model']} | {row['test']} | {row['images']} | {row['abs_rel']:.3f}"
            f" | {row['rmse']:.3f} | {row['a1']:.3f} | {row['median_ratio']:.3f} |"
        )
    (RESULTS / "learning.md").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Rebuild all, or the steps named by ``--only``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True, help="folder of worlds, runs, models")
    parser.add_argument("--recordings", type=Path, required=True, help="folder of real recordings")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=list(TRAININGS), help="train only these")
    parser.add_argument("--no-table", action="store_true", help="do not evaluate")
    arguments = parser.parse_args()
    (arguments.build / "models").mkdir(parents=True, exist_ok=True)
    rebuild = Rebuild(arguments.build.resolve(), arguments.recordings.resolve(), arguments.threads)
    rebuild.render()
    for name, job in TRAININGS.items():
        if arguments.only is None or name in arguments.only:
            rebuild.train(name, job)
    if not arguments.no_table:
        write_results(rebuild.table(), rebuild.commands)


if __name__ == "__main__":
    main()
