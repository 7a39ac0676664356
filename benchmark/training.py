"""How fast training is, alone or side by side with the public reference of Monodepth2.

    python benchmark/training.py --reference ~/monodepth2 --size 640x192 --batch 12

Measured are the data pipeline alone, the training step alone on synthetic inputs, and both
together, in images (triplets) per second, and the peak memory of the latter. Each measurement runs
in its own process; contenders take turns in rounds, and medians count. README.md tells the rules.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from common.drive_recording import link_recording, write_recording
from common.machine import describe_machine, is_busy
from rich.console import Console
from rich.table import Table

from monodepth_ros.atomic_file import atomic_path

KINDS = ("data", "step", "end_to_end")
SPEED_REQUIRED = {"32": 1.5, "bf16": 2.5, "fp16": 2.5}  # images/s over the reference's
EXACT_TOLERANCE = 1e-8  # relative, of the losses in float64
# Of a loss in float32 to that in float64: rounding; and the reference's rotations, inexact by 1e-7.
LOSS_TOLERANCE = {"ours": 1e-5, "reference": 1e-4}
GRADIENT_TOLERANCE = 1e-3  # relative: the minimum over sources may switch at single pixels
REFERENCE_WORKERS = 12  # its own default, reduced to the cores that there are

console = Console()


@dataclass
class Variant:
    """One contender at one precision, and what its rounds gave for each kind of measurement."""

    contender: str
    precision: str
    workers: int
    results: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As in the table and the JSON."""
        return f"{self.contender} {self.precision}"

    def kinds(self) -> tuple[str, ...]:
        """Our data pipeline does not depend on the precision."""
        return KINDS if self.precision == "32" else KINDS[1:]

    def median(self, kind: str, key: str) -> float | None:
        """Of all rounds; None when that was not measured."""
        rounds = self.results.get(kind)
        return median(r[key] for r in rounds) if rounds else None


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--reference", type=Path, help="checkout of the public Monodepth2 to compare with")
    add("--data", type=Path, help="KITTI raw folder whose first drive is read; default: synthetic")
    add("--frames", type=int, default=64, help="frames of the recording (default 64)")
    add("--size", default="640x192", help="width x height (default 640x192)")
    add("--batch", type=int, default=12, help="triplets a step (default 12)")
    add("--architecture", default="monodepth2-resnet18", help="ours; the reference has ResNet-18")
    add("--precision", nargs="+", default=["32", "bf16"], choices=list(SPEED_REQUIRED))
    add("--device", choices=["cpu", "cuda"], help="default: cuda where there is one")
    add("--threads", type=int, default=cores, help=f"of PyTorch (default {cores})")
    add("--workers", type=int, default=0, help="of our data loader (default 0, as the recipe)")
    add("--reference-workers", type=int, default=min(REFERENCE_WORKERS, cores))
    add("--rounds", type=int, default=3, help="turns of each contender (default 3)")
    add("--warmup", type=int, default=2, help="steps before measuring (default 2)")
    add("--steps", type=int, default=5, help="steps that are measured in a round (default 5)")
    add("--data-seconds", type=float, default=3.0, help="of the data pipeline alone, a round")
    add("--set", dest="overrides", action="append", default=[], help="recipe key=value, ours")
    add("--out", type=Path, help="JSON; default benchmark/results/training_SIZE_batchN.json")
    options = parser.parse_args(arguments)
    try:
        width, height = map(int, options.size.split("x"))
    except ValueError:
        parser.error(f"--size {options.size}: write WIDTHxHEIGHT, for example 640x192")
    if width % 32 or height % 32:
        parser.error(f"--size {options.size}: both must be multiples of 32")
    if options.frames < options.batch + 2:
        parser.error(f"--frames {options.frames}: a batch of {options.batch} needs two more")
    options.height, options.width = height, width
    if options.out is None:
        name = f"training_{options.size}_batch{options.batch}.json"
        options.out = Path(__file__).parent / "results" / name
    if options.device is None:
        options.device = "cuda" if _has_cuda() else "cpu"
    return options


def run_benchmark(options: argparse.Namespace) -> dict[str, Any]:
    """All measurements, and what follows from them."""
    variants = [Variant("ours", precision, options.workers) for precision in options.precision]
    if options.reference:
        variants.append(Variant("reference", "32", options.reference_workers))
    machine = describe_machine()
    with tempfile.TemporaryDirectory(prefix="training-benchmark-") as folder:
        work = Path(folder)
        recording = work / "recording"
        if options.data:
            link_recording(recording, options.data, options.frames)
        else:
            write_recording(recording, options.frames)
        equality = None
        if options.reference and options.architecture == "monodepth2-resnet18":
            equality = judge_equality(_measure(options, work, "equality", variants[0]))
        for number in range(options.rounds):
            # In turns, and every second round backwards: slow drifts of the machine cancel.
            for variant in variants[:: 1 if number % 2 == 0 else -1]:
                for kind in variant.kinds():
                    console.print(f"round {number + 1}/{options.rounds}: {variant.name} {kind}")
                    result = _measure(options, work, kind, variant)
                    variant.results.setdefault(kind, []).append(result)
    return summary(options, variants, equality, machine)


def summary(
    options: argparse.Namespace,
    variants: list[Variant],
    equality: dict[str, Any] | None,
    machine: dict[str, Any],
) -> dict[str, Any]:
    """Everything that the JSON file keeps."""
    reference = next((v for v in variants if v.contender == "reference"), None)
    ours = [v for v in variants if v.contender == "ours"]
    # Not where things lie on somebody's disk, only whether they were given.
    settings = {k: v for k, v in vars(options).items() if k not in ("out", "data", "reference")}
    settings["recording"] = "KITTI raw" if options.data else "synthetic"
    settings["with_reference"] = options.reference is not None
    return {
        "settings": settings,
        "machine": machine,
        "versions": variants[0].results["step"][0]["versions"],
        "variants": {v.name: {"workers": v.workers, **_medians(v), **v.results} for v in variants},
        "cold_start": cold_start(ours[0]) if "data" in ours[0].results else None,
        "ratios": {v.name: ratios(v, reference) for v in ours} if reference else None,
        "equality": equality,
    }


def ratios(ours: Variant, reference: Variant) -> dict[str, Any]:
    """Ours over the reference's, medians and the extremes over rounds; and the verdicts."""
    result: dict[str, Any] = {}
    for kind in ours.kinds():
        pairs = [
            mine["images_per_second"] / theirs["images_per_second"]
            for mine, theirs in zip(ours.results[kind], reference.results[kind], strict=True)
        ]
        mine, theirs = (v.median(kind, "images_per_second") for v in (ours, reference))
        result[kind] = {"ratio": mine / theirs, "lowest": min(pairs), "highest": max(pairs)}
    for key in ("peak_bytes", "peak_over_idle_bytes"):
        result[key] = ours.median("end_to_end", key) / reference.median("end_to_end", key)
    required = SPEED_REQUIRED[ours.precision]
    result["required_end_to_end"] = required
    result["fast_enough"] = result["end_to_end"]["ratio"] >= required
    result["small_enough"] = result["peak_bytes"] <= 1.0
    return result


def cold_start(ours: Variant) -> dict[str, float]:
    """What our frame cache costs once, before the first epoch of the first run."""
    seconds = ours.median("data", "cache_seconds")
    frames = ours.results["data"][0]["cached_frames"]
    steady = ours.median("data", "images_per_second")
    return {
        "cache_frames_per_second": frames / seconds,
        "first_epoch_data_images_per_second": frames / (seconds + frames / steady),
        "later_epochs_data_images_per_second": steady,
    }


def judge_equality(measured: dict[str, Any]) -> dict[str, Any]:
    """Relative differences of loss and gradients at the same weights and batch."""
    loss, exact, norms = (measured[k] for k in ("loss", "loss_float64", "gradient_norms"))
    difference = abs(exact["ours"] / exact["reference"] - 1)
    rounding = {name: abs(loss[name] / exact["reference"] - 1) for name in LOSS_TOLERANCE}
    gradients = {
        part: abs(norms["ours"][part] - value) / value for part, value in norms["reference"].items()
    }
    return {
        "loss": loss,
        "loss_float64": exact,
        "relative_difference_float64": difference,
        "relative_difference_to_float64": rounding,
        "gradient_norm_relative_difference": gradients,
        "tolerance": {
            "float64": EXACT_TOLERANCE,
            "to_float64": LOSS_TOLERANCE,
            "gradient_norm": GRADIENT_TOLERANCE,
        },
        "equal": difference <= EXACT_TOLERANCE
        and all(rounding[name] <= limit for name, limit in LOSS_TOLERANCE.items())
        and max(gradients.values()) <= GRADIENT_TOLERANCE,
    }


def print_report(report: dict[str, Any]) -> None:
    """The table and the verdicts."""
    settings = report["settings"]
    title = f"{settings['size']}, batch {settings['batch']}, {settings['device']}"
    table = Table(title=f"images/s at {title}, {settings['threads']} threads")
    for heading in (
        "",
        "workers",
        "data alone",
        "step alone",
        "end to end",
        "peak MB",
        "over idle",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, variant in report["variants"].items():
        speeds = [variant["median"].get(kind) for kind in KINDS]
        memory = [variant["median"][key] / 1e6 for key in ("peak_bytes", "peak_over_idle_bytes")]
        figures = ["-" if v is None else f"{v:.2f}" for v in speeds] + [f"{v:.0f}" for v in memory]
        table.add_row(name, str(variant["workers"]), *figures)
    for name, ratio in (report["ratios"] or {}).items():
        figures = [f"{ratio[k]['ratio']:.2f}x" if k in ratio else "-" for k in KINDS]
        figures += [f"{ratio[k]:.2f}x" for k in ("peak_bytes", "peak_over_idle_bytes")]
        table.add_row(f"{name} / reference", "", *figures)
    console.print(table)
    if cold := report["cold_start"]:
        console.print(
            "data alone, first epoch with the frame cache still to build:"
            f" {cold['first_epoch_data_images_per_second']:.1f} images/s"
        )
    for name, ratio in (report["ratios"] or {}).items():
        reached = {True: "reached", False: "NOT reached"}
        console.print(
            f"{name}: {ratio['required_end_to_end']}x end to end"
            f" {reached[ratio['fast_enough']]}; memory not above the reference's"
            f" {reached[ratio['small_enough']]}"
        )
    if equality := report["equality"]:
        exact, single = (
            equality[f"relative_difference_{key}"] for key in ("float64", "to_float64")
        )
        console.print(
            f"same weights, same batch: losses in float64 differ by {exact:.1e} (tolerance"
            f" {EXACT_TOLERANCE:.0e}), in float32 ours is {single['ours']:.1e} from it, the"
            f" reference's {single['reference']:.1e}:"
            f" {'equal' if equality['equal'] else 'NOT EQUAL'}"
        )
    if is_busy(report["machine"]):
        console.print(f"The machine was not idle: load {report['machine']['load_before']:.1f}.")


def _medians(variant: Variant) -> dict[str, Any]:
    speeds = {kind: variant.median(kind, "images_per_second") for kind in variant.kinds()}
    memory = ("peak_bytes", "peak_over_idle_bytes")
    return {"median": {**speeds, **{key: variant.median("end_to_end", key) for key in memory}}}


def _measure(
    options: argparse.Namespace, work: Path, kind: str, variant: Variant
) -> dict[str, Any]:
    """Run one measurement in its own process, so that neither memory nor caches carry over."""
    number = sum(1 for _ in work.glob("request-*"))
    request, answer = work / f"request-{number}.json", work / f"answer-{number}.json"
    # Data pipelines start cold each time; the others share one frame cache.
    own = work / (f"cold-{number}" if kind == "data" else "shared")
    own.mkdir(exist_ok=True)
    content = {
        "kind": kind,
        "contender": variant.contender,
        "precision": variant.precision,
        "workers": variant.workers,
        "recording": str(work / "recording"),
        "work": str(own),
        "size": (options.height, options.width),
        "reference": str(options.reference) if options.reference else None,
    }
    same = ("batch", "architecture", "threads", "device", "warmup", "steps", "data_seconds")
    content |= {key: getattr(options, key) for key in (*same, "overrides")}
    request.write_text(json.dumps(content))
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    program = Path(__file__).parent / "common" / "training_measurement.py"
    process = subprocess.run(
        [sys.executable, str(program), str(request), str(answer)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if process.returncode != 0:
        raise SystemExit(f"{process.stdout[-3000:]}\n{variant.name} {kind} failed, see above")
    return dict(json.loads(answer.read_text()))


def _has_cuda() -> bool:
    # Asked elsewhere: this process stays small, since a child's peak memory starts at its parent's.
    query = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", query]).returncode == 0


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    options = parse_arguments(arguments)
    report = run_benchmark(options)
    print_report(report)
    with atomic_path(options.out) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
    console.print(f"written: {options.out}")


if __name__ == "__main__":
    main()
