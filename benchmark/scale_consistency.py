"""Monodepth2 against Monodepth2 with refined poses: does the scale of depth and pose agree?

    python benchmark/learning.py --build build --recordings ../shared/data --only demo --no-table
    python benchmark/scale_consistency.py --build build --recordings ../shared/data

The first command makes the worlds and the model that all runs start from. Both methods have the
same initial weights, seeds, samples and steps; they differ in the section `refinement` alone. Depth
is measured on held-back frames; the scale of steps, and odometry, on held-back worlds or on the
whole of a recording, whose truth no training has seen. What stands in the build folder already is
not made again. `--set` changes recipe keys of refined runs, for ablations, with --out and --tag.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.monodepth_commands import MonodepthCommands
from learning import TESTS, VIDEOS

RESULTS = Path(__file__).parent / "results"
RECIPES = {"monodepth2": "training/monodepth2.yaml", "sa4depth": "training/sa4depth.yaml"}
# Sized for CPU cores: the small networks and images, and a start that sees depth already.
SIZED = (
    "data.size=192x128",
    "networks.architecture=monodepth2-lite",
    "networks.joint_pose_batch=true",
    "losses.photometric.v1_multiscale=true",
    "schedule.kind=one_cycle",
    "schedule.epochs=1000",
    "trainer.batch_size=6",
    "trainer.precision=bf16",
    "trainer.compile_objective=true",
    "trainer.pictures_every=0",
    "evaluation.every_steps=100000",
)
SIZED_REFINEMENT = ("refinement.warmup_steps=0", "refinement.ramp_steps=0")
FIGURES = {  # of the table: its name here, and whether less is better
    "abs_rel": ("abs_rel", True),
    "a1": ("a1", False),
    "seq_scale_std": ("depth_seq_scale_std", True),
    "median_log_rho": ("pose_depth_log_ratio_median", True),
    "std_log_rho": ("pose_depth_log_ratio_std", True),
    "snippet_ate_m": ("snippet_ate_m", True),
    "ate_m": ("ate_m", True),
}


@dataclass(frozen=True)
class Scene:
    """What is trained on and measured; a world's frames lie in the build folder."""

    training: Sequence[str]
    depth: Sequence[str]  # no depth is measured where there is none
    motion: Sequence[str]
    stride: int
    min_motion: float  # metres
    seeds: int = 3
    every: int = 1  # of the frames of `motion`


def scenes(recordings: str) -> dict[str, Scene]:
    """The scenes by name; ``recordings`` is relative to the build folder."""
    kitchen, office = f"{recordings}/7scenes_redkitchen", f"{recordings}/hololens_office"
    kitti = f"{recordings}/kitti_odometry_06_gray"
    rooms, street = (worlds.paths() for worlds in VIDEOS)
    test_rooms, test_street = (worlds.paths()[:6] for worlds in TESTS)  # whole: steps are compared
    return {
        "street": Scene(street, test_street, test_street, 1, 0.1),
        "7scenes_redkitchen": Scene(
            [f"{kitchen}@0:600"], [f"{kitchen}@600:700:5"], [f"{kitchen}@0:700:12"], 12, 0.03
        ),
        "hololens_office": Scene([f"{office}@0:200"], [f"{office}@200:240"], [office], 1, 0.03),
        "rooms": Scene(rooms, test_rooms, test_rooms, 2, 0.03, seeds=1, every=2),
        "kitti_06": Scene([kitti], [], [kitti], 1, 0.1, seeds=1),
    }


class Comparison(MonodepthCommands):
    """Trains both methods on every scene and measures them."""

    def __init__(
        self,
        build: Path,
        steps: int,
        threads: int,
        extra: Sequence[str] = (),
        tag: str = "",
        machine: Sequence[str] = (),
    ) -> None:
        """Take recipe keys of refined runs, the tag of their names, and keys of all runs."""
        super().__init__(build, threads)
        self.steps, self.extra, self.tag, self.machine = steps, extra, tag, machine

    def model(self, method: str, name: str, scene: Scene, seed: int) -> str:
        """The name of the trained model."""
        model = f"scale_{method}{self.tag if method == 'sa4depth' else ''}_{name}_{seed}"
        settings = [*SIZED, f"data.stride={scene.stride}", f"trainer.seed={seed}"]
        settings += [f"trainer.max_steps={self.steps}", f"trainer.threads={self.threads}"]
        settings += self.machine
        if method == "sa4depth":
            settings += [*SIZED_REFINEMENT, *self.extra]
        data = [argument for path in scene.training for argument in ("--data", path)]
        chosen = [argument for setting in settings for argument in ("--set", setting)]
        self.train(model, RECIPES[method], "--init", "demo", "--checkpoint", "last", *data, *chosen)
        return model

    def figures(self, model: str, scene: Scene) -> dict[str, float]:
        """Of depth on held-back frames, of scale and odometry on all steps."""
        found: dict[str, float] = {}
        if scene.depth:
            found |= self._evaluated("depth", model, scene.depth)
            measured = self._measured(scene)
            found |= self._evaluated("scale", model, scene.motion, "--no-refined", *measured)
        found |= self._evaluated("odometry", model, scene.motion, "--every", str(scene.every))
        return {name: found[key] for name, (key, _) in FIGURES.items() if key in found}

    def aligned(self, model: str, scene: Scene) -> dict[str, float]:
        """Of scale, also by motions aligned to depth, which takes longer."""
        name = f"scale of {model} and of aligned motions"
        data = [argument for path in scene.motion for argument in ("--data", path)]
        command = ["evaluate", "scale", "--model", model, *data, *self._measured(scene), "--json"]
        figures: dict[str, float] = json.loads(self.run(name, *command))
        return figures

    def _measured(self, scene: Scene) -> list[str]:
        return ["--min-motion", str(scene.min_motion), "--every", str(scene.every)]

    def _evaluated(
        self, what: str, model: str, paths: Sequence[str], *arguments: str
    ) -> dict[str, float]:
        data = [argument for path in paths for argument in ("--data", path)]
        name, command = (
            f"{what} of {model}",
            ["evaluate", what, "--model", model, *data, *arguments],
        )
        first = paths[0].replace("/", "_")
        kept = self.build / "figures" / f"{model}_{what}_{len(paths)}_from_{first}.json"
        if kept.is_file():
            self.note(name, *command, "--json")
        else:
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(self.run(name, *command, "--json"))
        figures: dict[str, float] = json.loads(kept.read_text())
        return figures


def table(rows: Sequence[dict[str, object]], order: Sequence[str]) -> list[str]:
    """A line for each scene and method, means and deviations over the seeds, and the change."""
    lines = [
        "| scene | method | seeds | " + " | ".join(FIGURES) + " |",
        "|---|---|---" + "|---" * len(FIGURES) + "|",
    ]
    for scene in order:
        means: dict[str, dict[str, float]] = {}
        for method in ("start", *RECIPES):
            of = [row for row in rows if (row["scene"], row["method"]) == (scene, method)]
            if not of:
                continue
            cells, means[method] = [], {}
            for name in FIGURES:
                values = [float(str(row[name])) for row in of if name in row]
                if not values:
                    cells.append("")
                    continue
                means[method][name] = statistics.fmean(values)
                spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
                cells.append(f"{means[method][name]:.3f}{spread}")
            seeds = "" if method == "start" else str(len(of))
            lines.append(f"| {scene} | {method} | {seeds} | " + " | ".join(cells) + " |")
        if {*RECIPES} <= means.keys():
            ours, theirs = means["sa4depth"], means["monodepth2"]
            changes = [
                f"{100 * (ours[name] / theirs[name] - 1):+.0f} %" if name in ours else ""
                for name in FIGURES
            ]
            lines.append(f"| {scene} | change | | " + " | ".join(changes) + " |")
    return lines


def write_results(out: Path, rows: Sequence[dict[str, object]], comparison: Comparison) -> None:
    """``<out>.json`` with every figure and command, ``<out>.md`` with the table."""
    record = {"rows": rows, "steps": comparison.steps, "commands": comparison.commands}
    out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    order = list(dict.fromkeys(str(row["scene"]) for row in rows))
    text = [
        f"{comparison.steps} steps from the model `demo` (line `start`). rho is the scale of a",
        "step over that of depth. Rebuilt by",
        "`python benchmark/scale_consistency.py --build build --recordings RECORDINGS`; every",
        f"command is in `{out.with_suffix('.json').name}`.",
        "",
        *table(rows, order),
    ]
    out.with_suffix(".md").write_text("\n".join(text) + "\n")


def add_machine_option(parser: argparse.ArgumentParser) -> None:
    """What suits the machine and leaves the results as they are, but for rounding."""
    parser.add_argument(
        "--machine",
        action="append",
        default=[],
        help="a recipe key for all runs, as trainer.channels_last=false for CPUs without AVX-512",
    )


def main() -> None:
    """Train and measure all, and write the table after every row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", help="of the table's scenes, only these")
    parser.add_argument("--methods", nargs="*", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, help="fewer than the scene has")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--set", action="append", default=[], help="a recipe key, refined runs only"
    )
    parser.add_argument("--tag", default="", help="of the refined models' names")
    add_machine_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "scale_consistency")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    comparison = Comparison(
        build,
        arguments.steps,
        arguments.threads,
        arguments.set,
        arguments.tag,
        arguments.machine,
    )
    known = scenes(os.path.relpath(arguments.recordings.resolve(), build))
    rows: list[dict[str, object]] = []
    for name in arguments.scenes or known:
        scene = known[name]
        rows.append({"scene": name, "method": "start", **comparison.figures("demo", scene)})
        for seed in range(min(scene.seeds, arguments.seeds or scene.seeds)):
            for method in arguments.methods:
                figures = comparison.figures(comparison.model(method, name, scene, seed), scene)
                rows.append({"scene": name, "method": method, "seed": seed, **figures})
                write_results(arguments.out, rows, comparison)


if __name__ == "__main__":
    main()
