"""What each part of the refinement does: one switch of `training/sa4depth.yaml` at a time.

    python benchmark/refinement_ablations.py --build build --recordings ../shared/data

The same start, steps and figures as `scale_consistency.py`, one seed; `--scenes street` wants its
worlds. A second table tells, for Monodepth2 and the recipe, how much of rho's distance from 1 would
be left if motions were aligned to depth at run time: what depth itself gets wrong. What stands in
the build folder already is not made again; the tables are written after every row.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from common.learnt_features import LEARNT_FEATURES
from scale_consistency import FIGURES, RESULTS, Comparison, add_machine_option, scenes

# A quarter of the steps before the refinement, and another in which it takes over.
WARM_UP = 4
# What the other variants were measured with: depth learns nothing through the solver.
CUT_OFF = ("refinement.detach_depth=true", "refinement.gradient_steps=0")
VARIANTS: Mapping[str, Sequence[str]] = {
    "as the recipe has it": (),
    "solver cut off": CUT_OFF,
    "cut off, levels 4 and 2": (*CUT_OFF, "refinement.strides=[4,2]"),
    "cut off, levels 8 and 4": (*CUT_OFF, "refinement.strides=[8,4]"),
    "cut off, 2 iterations": (*CUT_OFF, "refinement.iterations=2"),
    "cut off, 4 iterations": (*CUT_OFF, "refinement.iterations=4"),
    "cut off, warm-up and ramp": (
        *CUT_OFF,
        "refinement.warmup_steps={quarter}",
        "refinement.ramp_steps={quarter}",
    ),
    "cut off, auto-mask": (*CUT_OFF, "refinement.automask=true"),
    "cut off, no views by the network's poses": (*CUT_OFF, "refinement.network_pose_weight=0"),
    "cut off, views by them at full weight, no consistency": (
        *CUT_OFF,
        "refinement.network_pose_weight=1",
        "losses.consistency.weight=0",
    ),
    "heads on the depth encoder": LEARNT_FEATURES,
    "heads, gradient to depth": (*LEARNT_FEATURES, "refinement.detach_depth=false"),
    "heads, levels cut off": (*LEARNT_FEATURES, "refinement.detach_levels=true"),
    "a feature network of its own": (
        *LEARNT_FEATURES,
        "refinement.feat_source=own",
        "refinement.feat_encoder=efficientnet-lite0",
    ),
}
WITH_ALIGNED = (None, "as the recipe has it", "solver cut off")  # also of aligned motions

RHO = {
    f"{figure}_log_rho": f"pose_depth_log_ratio_{figure}" for figure in ("median", "std", "offset")
}


class Ablations:
    """Rows of the variants; the first row of a scene is Monodepth2."""

    def __init__(
        self, build: Path, recordings: Path, steps: int, threads: int, machine: Sequence[str]
    ) -> None:
        self.build, self.steps, self.threads, self.machine = build, steps, threads, machine
        self.scenes = scenes(os.path.relpath(recordings, build))
        self.rows: list[dict[str, object]] = []
        self.aligned: list[dict[str, object]] = []
        self.commands: dict[str, str] = {}

    def measure(self, name: str, variant: str | None) -> None:
        """Train and measure one variant in the scene ``name``; None is Monodepth2."""
        method = "monodepth2" if variant is None else "sa4depth"
        changes = VARIANTS[variant] if variant is not None else ()
        settings = [change.format(quarter=self.steps // WARM_UP) for change in changes]
        tag = "_" + re.sub(r"\W+", "_", variant) if variant is not None and changes else ""
        comparison = Comparison(self.build, self.steps, self.threads, settings, tag, self.machine)
        scene = self.scenes[name]
        model = comparison.model(method, name, scene, seed=0)
        row = {"scene": name, "variant": variant or "Monodepth2"}
        self.rows.append({**row, **comparison.figures(model, scene)})
        if variant in WITH_ALIGNED:
            figures = comparison.aligned(model, scene)
            for prefix, motions in (("", "the network's"), ("refined_", "aligned to depth")):
                values = {name: figures[f"{prefix}{key}"] for name, key in RHO.items()}
                self.aligned.append({**row, "motions": motions, **values})
        self.commands |= comparison.commands

    def write(self, out: Path) -> None:
        """``<out>.json`` with every figure and command, ``<out>.md`` with the table."""
        record = {"rows": self.rows, "aligned": self.aligned, "steps": self.steps}
        record["commands"] = self.commands
        out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
        lines = [
            f"{self.steps} steps from the model `demo`, one seed; columns as in",
            "`scale_consistency.md`. Rebuilt by",
            "`python benchmark/refinement_ablations.py --build build --recordings RECORDINGS`;",
            f"every command is in `{out.with_suffix('.json').name}`.",
            "",
            *_table(self.rows, ("scene", "variant"), FIGURES),
            "",
            "log rho of the network's motions, and of motions aligned to its depth at run time:",
            "",
            *_table(self.aligned, ("scene", "variant", "motions"), RHO),
        ]
        out.with_suffix(".md").write_text("\n".join(lines) + "\n")


def _table(
    rows: Sequence[Mapping[str, object]], names: Sequence[str], figures: Iterable[str]
) -> list[str]:
    columns = [*names, *figures]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        shown = [f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return lines


def main() -> None:
    """Measure the variants in each scene."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--scenes", nargs="*", default=["7scenes_redkitchen"])
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    add_machine_option(parser)
    parser.add_argument("--out", type=Path, default=RESULTS / "refinement_ablations")
    arguments = parser.parse_args()
    build, recordings = arguments.build.resolve(), arguments.recordings.resolve()
    ablations = Ablations(build, recordings, arguments.steps, arguments.threads, arguments.machine)
    for scene in arguments.scenes:
        for variant in (None, *arguments.variants):
            ablations.measure(scene, variant)
            ablations.write(arguments.out)


if __name__ == "__main__":
    main()
