"""What image size, the number of cameras and the number of processes cost.

    python benchmark/scaling.py --reference ~/monodepth2
    python benchmark/scaling.py --model resnet18 --engine openvino:fp32 --threads 2
    python benchmark/scaling.py --tiny                                    # tries it, in seconds

Image sizes: one image at each size. Cameras: a batch of one image of each camera, which is what a
node with several cameras runs. Processes: each with `--threads` threads runs one image after the
other; what counts are their images a second together. The reference, where one is given, runs a
ResNet-18 of the same size, batch and processes, and takes turns with ours.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

from common import paths  # noqa: F401 - the programs of common import each other
from inference_run import Case, case_of, run_case
from machine import describe_machine, is_busy
from resnet18_model import make_resnet18
from rich.console import Console

from monodepth_ros.atomic_file import atomic_path

SIZES = ("192x128", "256x192", "320x256", "640x192", "640x448")
CAMERAS, PROCESSES = (1, 2, 4, 6), (1, 2, 4)
console = Console(width=110, soft_wrap=True)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--reference", type=Path, help="checkout of the public Monodepth2 to compare with")
    add("--model", default="demo", help="a name or folder, or resnet18")
    add("--engine", nargs="+", default=["torch:fp32", "auto"], help="ENGINE:PRECISION, or auto")
    add("--threads", type=int, default=1)
    add("--rounds", type=int, default=3, help="turns of each contender (default 3)")
    add("--seconds", type=float, default=1.0, help="of a turn (default 1)")
    add("--tiny", action="store_true", help="small images and short turns: only to try it")
    add("--out", type=Path, help="JSON; default benchmark/results/scaling_MODEL.json")
    options = parser.parse_args(arguments)
    if options.tiny:
        options.rounds, options.seconds = 1, 0.05
    if options.out is None:
        results = Path(__file__).parent / "results"
        options.out = results / f"scaling_{Path(options.model).name}.json"
    return options


def measurements(
    options: argparse.Namespace, case: Case
) -> Iterator[tuple[str, int | str, dict[str, Any]]]:
    """Against what, how much of it, and the result."""
    names = [*(["reference"] if case.reference else []), *options.engine]
    for size in ("64x64", "96x64") if options.tiny else SIZES:
        width, height = map(int, size.split("x"))
        resized = replace(case, size=(height, width))
        yield "size", size, run_case(resized, names, (), options.rounds, options.seconds)
    for cameras in CAMERAS[:2] if options.tiny else CAMERAS:
        together = replace(case, batch=cameras)
        yield "cameras", cameras, run_case(together, names, (), options.rounds, options.seconds)
    cores = len(os.sched_getaffinity(0))
    for count in [n for n in PROCESSES if n * options.threads <= cores]:
        rows = [_processes(case, name, count, options) for name in names]
        yield "processes", count, {"rows": rows}


def _processes(case: Case, name: str, count: int, options: argparse.Namespace) -> dict[str, Any]:
    """Images a second of ``count`` processes of one contender that run at once."""
    results: list[dict[str, Any]] = []

    def run() -> None:
        # On every core: the system shares them out.
        free = replace(case, pinned=False)
        results.append(run_case(free, [name], (), options.rounds, options.seconds)["rows"][0])

    threads = [Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = next((r["refused"] for r in results if "refused" in r), None)
    if refused is not None:
        return {"contender": name, "refused": refused}
    return {
        "contender": name,
        "images_per_second": sum(r["images_per_second"] for r in results),
        "median_ms": max(r["median_ms"] for r in results),
        "peak_bytes": sum(r["peak_bytes"] for r in results),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write after each measurement."""
    options = parse_arguments(arguments)
    report: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": {"model": Path(options.model).name, "threads": options.threads,
                     "rounds": options.rounds, "seconds": options.seconds, "tiny": options.tiny},
        "size": {}, "cameras": {}, "processes": {},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="scaling-benchmark-") as folder:
        work, model = Path(folder), options.model
        settings: dict[str, Any] = {"threads": options.threads}
        if options.reference or model == "resnet18":
            made = make_resnet18(work, options.reference)
            model = str(made) if model == "resnet18" else model
        if options.reference:
            settings |= {"reference": options.reference, "weights": work / "weights"}
        case = case_of(model, (64, 96) if options.tiny else None, **settings)
        for against, amount, result in measurements(options, case):
            report[against][amount] = result
            _print(against, amount, result)
            with atomic_path(options.out) as temporary:
                temporary.write_text(json.dumps(report, indent=1) + "\n")
    if is_busy(report["machine"]):
        console.print(f"The machine was not idle: load {report['machine']['load_before']:.1f}.")
    console.print(f"written: {options.out}")


def _print(against: str, amount: int | str, result: dict[str, Any]) -> None:
    figures = [
        f"{row['contender']} {row['median_ms']:.2f} ms, {row['images_per_second']:.1f} images/s"
        for row in result["rows"]
        if "refused" not in row
    ]
    console.print(f"{against} {amount}: {'; '.join(figures)}")


if __name__ == "__main__":
    main()
