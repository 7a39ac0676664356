"""Rebuilds the learning table: renders the worlds, trains every model, evaluates them all.

    python benchmark/learning.py --build build --recordings ../shared/data

Every step is a `monodepth` command, printed before it runs and kept in the results. What stands
in the build folder already is not made again, so an interrupted rebuild continues.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.learning_pictures import draw_predictions
from common.monodepth_commands import MonodepthCommands

RESULTS = Path(__file__).parent / "results"
KNOWN = Path(__file__).resolve().parents[1] / "training" / "known_scenes" / "replay"
TESTED_WORLDS = ("rooms", "street")


@dataclass(frozen=True)
class Worlds:
    """Sequences of one world, a place for each seed; without ``fps`` at the world's own rate."""

    world: str
    seeds: Sequence[int]
    frames: int
    fps: float | None = None

    def paths(self) -> list[str]:
        """Their folders, relative to the build folder."""
        return [f"worlds/{self.world}_{seed:03d}" for seed in self.seeds]


# Video for view synthesis, and frames far apart in many places for true depth.
VIDEOS = (Worlds("rooms", range(12), 120), Worlds("street", range(10), 100))
MORE_VIDEOS = (
    Worlds("rooms", range(12, 36), 40),
    Worlds("street", range(10, 20), 50),
    Worlds("rooms", range(800, 853), 24),
    Worlds("street", range(800, 818), 30),
    Worlds("street", range(900, 1020), 12),
)
PLACES = (
    Worlds("rooms", range(300, 360), 40, fps=0.5),
    Worlds("street", range(400, 450), 40, fps=0.5),
    Worlds("glossy_rooms", range(500, 508), 24, fps=0.5),
    Worlds("rooms", range(600, 655), 16, fps=0.5),
    Worlds("street", range(700, 757, 3), 16, fps=0.5),
)
VALIDATION = tuple(Worlds(world, (100, 101), 60) for world in TESTED_WORLDS)
# Two places, as VALIDATION has, would say more of those places than of a model.
TESTS = tuple(Worlds(world, range(200, 212), 60) for world in TESTED_WORLDS)
_EVERY = "@::5"  # of their frames
RECORDINGS = {
    "7scenes_redkitchen": ("@0:600", "@600:700:5"),
    "hololens_office": ("@0:200", "@200:240"),
}
# The same frames with the truth as it is stored, up to 40 pixels beside the image.
AS_STORED = {"7scenes_redkitchen": "@unregistered"}

# Fixed strides: spacing by motion would look at true poses. 7-Scenes is filmed at 30 Hz.
STRIDES = {"7scenes_redkitchen": 12, "hololens_office": 1}
MINUTES = {"7scenes_redkitchen": 25, "hololens_office": 18}
_CLOCKED = ("schedule.epochs=100", "trainer.compile_objective=true")  # the minutes end a run
# Few places: parts of images at other sizes stand in for more of them.
_CROPPED = ("data.augmentation.crop=0.6", "data.augmentation.aspect=0.1")


@dataclass(frozen=True)
class Training:
    """One `monodepth train`: its recipe, what it sees, and what it starts from."""

    recipe: str
    data: str | tuple[Worlds, ...]  # worlds, or the name of a recording
    minutes: float
    init: str | None = None
    settings: tuple[str, ...] = ()
    select: str = "last"  # "best" only where the validation is not of the test scene
    licence: str = "CC0-1.0"  # of weights from synthetic places alone
    replay: bool = False  # known scenes beside it
    keep: float = 0.0  # of the weights of ``init``


TRAININGS = {
    "demo_pose": Training("training/demo_pose.yaml", VIDEOS, 15, select="best"),
    "demo_squared": Training(
        "training/demo.yaml",
        VIDEOS + PLACES,
        85,
        settings=("networks.init.pose=demo_pose",),
        select="best",
        licence="Apache-2.0",  # of the ImageNet weights that it starts from
    ),
    "demo": Training(
        "training/demo.yaml",
        VIDEOS + PLACES,
        50,
        init="demo_squared",
        settings=(
            "networks.init.imagenet_encoder=null",
            "losses.supervised.silog=null",
            "losses.supervised.absolute.scale_invariance=0.85",
            "losses.supervised.gradient.norm=absolute",
            "losses.supervised.gradient.weight=0.5",
            "optimizer.lr=4e-4",
        ),
        select="best",
        licence="Apache-2.0",
    ),
    "self_supervised_rooms_first": Training(
        "training/slim.yaml",
        (VIDEOS[0], MORE_VIDEOS[0], MORE_VIDEOS[2]),
        65,
        settings=("data.stride=2", *_CROPPED, *_CLOCKED),
    ),
    # 120 places, seen for a second each: from the 38 longer drives alone, abs_rel was 0.05 worse
    # on other streets than on those.
    "self_supervised_street": Training(
        "training/slim.yaml",
        (VIDEOS[1], MORE_VIDEOS[1], MORE_VIDEOS[3], MORE_VIDEOS[4]),
        115,
        settings=(
            "data.stride=1",
            "refinement.warmup_steps=6000",
            "refinement.gradient_steps=1",
            "refinement.detach_depth=false",
            "refinement.network_pose_weight=0.5",
            "losses.consistency.weight=3",
            *_CROPPED,
            *_CLOCKED,
        ),
    ),
}
# A second stage of what starts from random weights.
TRAININGS["self_supervised_rooms"] = replace(
    TRAININGS["self_supervised_rooms_first"], minutes=110, init="self_supervised_rooms_first"
)
for _recording, _short in (("7scenes_redkitchen", "redkitchen"), ("hololens_office", "hololens")):
    _stride = f"data.stride={STRIDES[_recording]}"
    TRAININGS[f"{_short}_from_random"] = Training(
        "training/slim.yaml", _recording, MINUTES[_recording], settings=(_stride, *_CLOCKED)
    )
TRAININGS["redkitchen_from_demo"] = Training(
    "training/glossy.yaml", "7scenes_redkitchen", 75, "demo", ("data.stride=12", *_CLOCKED)
)
# As tuning does, a quarter of the former weights is kept.
TRAININGS["hololens_from_demo"] = Training(
    "training/finetune.yaml",
    "hololens_office",
    20,
    "demo",
    ("data.stride=2", "data.validation_fraction=0", *_CLOCKED),
    replay=True,
    keep=0.25,
)


class Rebuild(MonodepthCommands):
    """The worlds, the models and the table, in a build folder."""

    def __init__(self, build: Path, recordings: Path, threads: int) -> None:
        super().__init__(build, threads)
        self.recordings = recordings

    def render_all(self, only_built: bool = False) -> None:
        """All sequences of the worlds."""
        for worlds in (*VIDEOS, *MORE_VIDEOS, *PLACES, *VALIDATION, *TESTS):
            for seed in worlds.seeds:
                self.render(worlds.world, seed, worlds.frames, worlds.fps, not only_built)

    def train_model(self, name: str, job: Training) -> None:
        """Train one model into ``models/<name>``, unless it is there."""
        command = [job.recipe, "--checkpoint", job.select]
        if isinstance(job.data, str):
            command += ["--data", self._recording(job.data, RECORDINGS[job.data][0])]
        else:
            # Metres of synthetic places mean little in real ones: measured, see the table.
            command += ["--licence", job.licence, "--scale", "relative"]
            command += _options("--data", job.data) + _options("--val", VALIDATION)
        if job.init is not None:
            command += ["--init", job.init]
        if job.keep:
            command += ["--keep", str(job.keep)]
        if job.replay:
            command += ["--replay", os.path.relpath(KNOWN, self.build)]
        for setting in job.settings:
            command += ["--set", setting]
        command += ["--set", f"trainer.max_minutes={job.minutes}"]
        command += ["--set", f"trainer.threads={self.threads}"]
        self.train(name, *command)

    def evaluate(self, name: str, model: list[str], data: list[str]) -> dict[str, float]:
        """The depth figures of one model on one test set, protocol `plain`."""
        sequences = [argument for path in data for argument in ("--data", path)]
        out = self.run(name, "evaluate", "depth", *model, *sequences, "--json")
        return json.loads(out)

    @staticmethod
    def resize(test: str) -> str:
        """How the images of a test set come to the network's size."""
        return "bilinear" if test.partition("@")[0] in RECORDINGS else "none"

    def draw(self, name: str, test: str) -> None:
        """A picture of what the model says on some frames of a test set."""
        data = [os.path.normpath(self.build / path) for path in self.tests()[test]]
        pictures = RESULTS / "learning_pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        draw_predictions(self.build / "models" / name, data, pictures / f"{name}_on_{test}.jpg")

    def _recording(self, name: str, part: str) -> str:
        return os.path.relpath(self.recordings / name, self.build) + part

    def tests(self) -> dict[str, list[str]]:
        """Test sets: sequences of places that no training has seen, and ends of recordings."""
        sets = {worlds.world: [path + _EVERY for path in worlds.paths()] for worlds in TESTS}
        sets |= {name: [self._recording(name, test)] for name, (_, test) in RECORDINGS.items()}
        return sets | {
            f"{name}{part}": [self._recording(name, part + RECORDINGS[name][1])]
            for name, part in AS_STORED.items()
        }

    def table(self) -> list[dict[str, object]]:
        """One row for each model and test set that belong together."""
        rows: list[dict[str, object]] = []
        plan: list[tuple[str, tuple[str, ...]]] = [
            *(
                (name, (world,))
                for world in TESTED_WORLDS
                for name in TRAININGS
                if name.startswith(f"self_supervised_{world}")
            ),
            ("demo", (*TESTED_WORLDS, *(s for name in RECORDINGS for s in _truths(name)))),
        ]
        for name, job in TRAININGS.items():
            if isinstance(job.data, str):
                plan.append((name, _truths(job.data)))
        for name, sets in plan:
            if (self.build / "models" / name / "card.yaml").exists():
                for test in sets:
                    key = f"{name} on {test}"
                    figures = self.evaluate(key, ["--model", name], self.tests()[test])
                    row = {"model": name, "test": test, "resize": self.resize(test)}
                    rows.append({**row, **figures})
                    if "@" not in test and not name.endswith("_first"):
                        self.draw(name, test)
        for name, (training, _) in RECORDINGS.items():
            for test in _truths(name):
                part = test.removeprefix(name) + training
                source = ["--constant-from", self._recording(name, part)]
                figures = self.evaluate(f"constant on {test}", source, self.tests()[test])
                rows.append({"model": "best constant", "test": test, "resize": "none", **figures})
        return rows


def _truths(recording: str) -> tuple[str, ...]:
    """The test sets of a recording: its truth registered to the images, and as stored."""
    stored = AS_STORED.get(recording)
    return (recording,) if stored is None else (recording, recording + stored)


def _options(name: str, sequences: Sequence[Worlds]) -> list[str]:
    return [
        argument for worlds in sequences for path in worlds.paths() for argument in (name, path)
    ]


def write_results(rows: list[dict[str, object]], commands: dict[str, str]) -> None:
    """``learning.json`` with every figure and command, ``learning.md`` with the table."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "learning.json").write_text(
        json.dumps({"rows": rows, "commands": commands}, indent=1) + "\n"
    )
    lines = [
        "Median-scaled depth on frames that no training has seen. Rebuilt by",
        "`python benchmark/learning.py --build build --recordings RECORDINGS`; every command is in",
        "`learning.json`.",
        "",
        "- `resize` is the kernel that resized images to the network's size: bilinear with",
        "  antialiasing, as for live frames, or Lanczos, as in training and evaluation when the",
        "  models of those rows were made. Synthetic worlds are rendered at that size.",
        "- Test frames of a recording follow its training frames without a gap, up to 3.3 s later",
        "  in the kitchen and 8 s in the office. Further on a model is worse, see `finetuning.md`.",
        "",
        "| model | test frames | images | abs_rel | rmse | a1 | median ratio | resize |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['model']} | {row['test']} | {row['images']} | {row['abs_rel']:.3f}"
            f" | {row['rmse']:.3f} | {row['a1']:.3f} | {row['median_ratio']:.3f}"
            f" | {row['resize']} |"
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
    parser.add_argument("--table-only", action="store_true", help="evaluate what is built so far")
    arguments = parser.parse_args()
    (arguments.build / "models").mkdir(parents=True, exist_ok=True)
    rebuild = Rebuild(arguments.build.resolve(), arguments.recordings.resolve(), arguments.threads)
    rebuild.render_all(only_built=arguments.table_only)
    for name, job in TRAININGS.items():
        built = (rebuild.build / "models" / name / "card.yaml").exists()
        wanted = arguments.only is None or name in arguments.only
        if built or (wanted and not arguments.table_only):  # what is built is only noted
            rebuild.train_model(name, job)
    if not arguments.no_table:
        write_results(rebuild.table(), rebuild.commands)


if __name__ == "__main__":
    main()
