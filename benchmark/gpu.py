"""All that a GPU decides, by one command of at most eight minutes, beside the public Monodepth2.

    python benchmark/gpu.py --reference ~/monodepth2
    python benchmark/gpu.py --reference ~/monodepth2 --tiny      # tries it on a CPU, in minutes

Inference of a ResNet-18 at batch 1 and 16 in fp32 and fp16, with CUDA graphs and compiled; training
in images per second and peak memory; the share of the pose solver in a training step; the peak
rates and the memory bandwidth that say how near to the hardware that is (the roofline). The file is
written after each part. A part that would not end in time is left out, and the file says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from common import paths  # noqa: F401 - the programs of common import each other
from inference_run import case_of, ratios, run_case
from machine import describe_machine
from resnet18_model import make_resnet18
from rich.console import Console

from monodepth_ros.atomic_file import atomic_path

LIMIT = 8 * 60  # seconds, of everything
ENGINES = (
    "torch:fp32", "torch:fp16", "torch-graphs:fp32", "torch-graphs:fp16", "torch-compiled:fp16",
)  # fmt: skip
PEAKS = ("fp32", "fp16", "bf16", "memory")
console = Console(width=110, soft_wrap=True)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--reference", type=Path, help="checkout of the public Monodepth2 to compare with")
    add("--limit", type=float, default=LIMIT, help=f"seconds of everything (default {LIMIT})")
    add("--tiny", action="store_true", help="on the CPU, small and short: only to try it")
    add("--out", type=Path, default=Path(__file__).parent / "results" / "gpu.json")
    return parser.parse_args(arguments)


def parts(
    options: argparse.Namespace, work: Path
) -> dict[str, tuple[float, Callable[[float], dict[str, Any]]]]:
    """By name: the seconds that a part takes at most, and what measures it in the time left."""
    batches = (1, 2) if options.tiny else (1, 16)
    found: dict[str, tuple[float, Callable[[float], dict[str, Any]]]] = {
        f"inference batch {batch}": (100.0, partial(inference, options, work, batch))
        for batch in batches
    }
    found["training"] = (150.0, partial(training, options, work))
    found["solver"] = (40.0, partial(solver, options, work))
    return found


def inference(
    options: argparse.Namespace, work: Path, batch: int, seconds_left: float
) -> dict[str, Any]:
    """Every engine, the reference and the peak rates in turns."""
    settings: dict[str, Any] = {"batch": batch, "device": "cpu" if options.tiny else "cuda"}
    contenders = ["eager", *ENGINES]
    if options.reference:
        settings |= {"reference": options.reference, "weights": work / "weights"}
        contenders.insert(1, "reference")
    model = str(work / "resnet18-640x192")
    case = case_of(model, (64, 96) if options.tiny else None, **settings)
    rounds, seconds = (1, 0.05) if options.tiny else (3, 1.0)
    result = run_case(case, contenders, PEAKS, rounds, seconds)
    result["over_reference"] = ratios(result["rows"], "reference")
    result["over_eager"] = ratios(result["rows"], "eager")
    return result


def training(options: argparse.Namespace, work: Path, seconds_left: float) -> dict[str, Any]:
    """Images per second and peak memory of training.py."""
    out = work / "training.json"
    arguments = ["--rounds", "1", "--out", str(out)]
    if options.reference:
        arguments += ["--reference", str(options.reference)]
    if options.tiny:
        arguments += ["--device", "cpu", "--size", "64x64", "--batch", "2", "--frames", "8"]
        arguments += ["--steps", "1", "--warmup", "1", "--data-seconds", "0.1"]
        arguments += ["--precision", "32"]
    else:
        arguments += ["--device", "cuda", "--precision", "32", "fp16", "--workers", "4"]
        arguments += ["--steps", "10", "--warmup", "4", "--data-seconds", "2"]
    return _program("training.py", arguments, out, seconds_left)


def solver(options: argparse.Namespace, work: Path, seconds_left: float) -> dict[str, Any]:
    """The share of a training step of refinement_cost.py."""
    out = work / "solver.json"
    arguments = ["--out", str(out)]
    if options.tiny:
        arguments += ["--device", "cpu", "--repeats", "1", "--set", "data.size=96x64"]
        arguments += ["--set", "trainer.batch_size=2"]
    else:
        arguments += ["--device", "cuda", "--repeats", "10"]
    return _program("refinement_cost.py", arguments, out, seconds_left)


def _program(name: str, arguments: list[str], out: Path, seconds_left: float) -> dict[str, Any]:
    """What a program beside this one writes; why not, where it fails or does not end in time."""
    command = [sys.executable, str(Path(__file__).parent / name), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds_left)
    except subprocess.TimeoutExpired:
        return {"left_out": f"{name} did not end in {seconds_left:.0f} s"}
    if done.returncode:
        return {"left_out": f"{name}: {(done.stderr or done.stdout)[-500:]}"}
    return dict(json.loads(out.read_text()))


def main(arguments: list[str] | None = None) -> None:
    """Measure part by part, and write after each."""
    options = parse_arguments(arguments)
    end = time.monotonic() + options.limit
    report: dict[str, Any] = {"machine": describe_machine(), "tiny": options.tiny, "parts": {}}
    if not options.tiny and not report["machine"]["gpus"]:
        raise SystemExit("no GPU here (nvidia-smi finds none); --tiny tries it on the CPU")
    with tempfile.TemporaryDirectory(prefix="gpu-benchmark-") as folder:
        work = Path(folder)
        make_resnet18(work, options.reference)
        for name, (seconds, measure) in parts(options, work).items():
            left = end - time.monotonic()
            if left < seconds:
                report["parts"][name] = {"left_out": f"{left:.0f} s were left, it takes {seconds}"}
            else:
                report["parts"][name] = measure(left)
            taken = options.limit - (end - time.monotonic())
            console.print(f"{taken:5.0f} s: {name}: {_in_short(report['parts'][name])}")
            with atomic_path(options.out) as temporary:
                temporary.write_text(json.dumps(report, indent=1) + "\n")
    console.print(f"written: {options.out}")


def _in_short(part: dict[str, Any]) -> str:
    if "left_out" in part:
        return f"left out: {part['left_out']}"
    if "rows" in part:
        return ", ".join(
            f"{row['contender']} {row['median_ms']:.2f} ms"
            for row in part["rows"]
            if "median_ms" in row
        )
    if "solver_share" in part:
        return f"{100 * part['solver_share']:.0f} % of a step"
    return ", ".join(
        f"{name} {variant['median']['step']:.1f} images/s"
        for name, variant in part["variants"].items()
    )


if __name__ == "__main__":
    main()
