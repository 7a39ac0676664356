"""Many images end to end, as a user starts it: our commands beside the scripts of Monodepth2.

    python benchmark/offline.py --reference ~/monodepth2
    python benchmark/offline.py --tiny                                    # tries it, in a minute

`monodepth predict` of 500 images stands beside `test_simple.py` of the same images, and `monodepth
evaluate depth` of 697 images beside `evaluate_depth.py`: whole commands by the clock, from files to
files or metrics, loading included. Both have the same ResNet-18 weights, images of KITTI's size
and, for evaluation, the same true depth. In the reference's favour, its true depth lies ready in
one file, while ours is read from a file of each image. They take turns, and medians count.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from common import paths  # noqa: F401 - the programs of common import each other
from drive_recording import DATE, DRIVE, HEIGHT, WIDTH, write_recording
from machine import describe_machine, is_busy
from resnet18_model import NAME, make_resnet18
from rich.console import Console

from monodepth_ros.atomic_file import atomic_path

SCRIPT = Path(__file__).parent / "common" / "reference_script.py"
console = Console(width=110, soft_wrap=True)


@dataclass(frozen=True)
class Command:
    """What is measured: a command, and how the figures of its output are read."""

    name: str
    images: int
    arguments: list[str]
    folder: Path

    def run(self, options: argparse.Namespace) -> dict[str, Any]:
        """Seconds by the clock and on the CPUs, and what it printed."""
        environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
        if self.name == "predict ours":  # a run would go on where the last one ended
            shutil.rmtree(self.folder / "predictions", ignore_errors=True)
        before, start = os.times(), time.perf_counter()
        done = subprocess.run(
            self.arguments, cwd=self.folder, env=environment, capture_output=True, text=True
        )
        seconds, after = time.perf_counter() - start, os.times()
        if done.returncode:
            raise SystemExit(f"{done.stdout[-2000:]}{done.stderr[-2000:]}\n{self.name} failed")
        used = after.children_user + after.children_system
        used -= before.children_user + before.children_system
        return {"seconds": seconds, "cpu_seconds": used, "output": done.stdout}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    cores = len(os.sched_getaffinity(0))
    add = parser.add_argument
    add("--reference", type=Path, help="checkout of the public Monodepth2 to compare with")
    add("--predict", type=int, default=500, help="images to predict (default 500)")
    add("--evaluate", type=int, default=697, help="images to evaluate (default 697)")
    add("--threads", type=int, default=cores, help=f"of every library (default {cores})")
    add("--rounds", type=int, default=1, help="turns of each contender (default 1)")
    add("--ours", default="", help="more options of our commands, for example '--engine torch'")
    add("--tiny", action="store_true", help="few images: only to try it")
    add("--out", type=Path, default=Path(__file__).parent / "results" / "offline.json")
    options = parser.parse_args(arguments)
    if options.tiny:
        options.predict, options.evaluate = 6, 6
    return options


def prepare(work: Path, options: argparse.Namespace) -> None:
    """Images, true depth, split files, and the model for both."""
    model = make_resnet18(work, options.reference)
    count = max(options.predict, options.evaluate)
    write_recording(work / "kitti", count)
    images = sorted((work / "kitti").glob("*/*/image_02/data/*.jpg"))
    folder = work / "images"
    folder.mkdir()
    for image in images[: options.predict]:
        (folder / image.name).symlink_to(image)
    truth = write_truth(work / "kitti", options.evaluate)
    splits = work / "splits" / "eigen_benchmark"
    splits.mkdir(parents=True)
    lines = [f"{DATE}/{DRIVE} {number} l" for number in range(options.evaluate)]
    (splits / "test_files.txt").write_text("\n".join(lines))
    np.savez(splits / "gt_depths.npz", data=truth)
    if options.reference:
        named = work / "models" / "mono_640x192"
        named.parent.mkdir()
        named.symlink_to(work / "weights")
    assert model == work / NAME


def write_truth(root: Path, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Sparse depth as a laser's, ``(N, H, W)`` in metres, 0 where there is none; also as files."""
    rng = np.random.default_rng(1)
    folder = root / DATE / DRIVE / "proj_depth" / "groundtruth" / "image_02"
    folder.mkdir(parents=True)
    truth = np.zeros((count, HEIGHT, WIDTH), np.float32)
    for number in range(count):
        rows = rng.integers(HEIGHT * 2 // 5, HEIGHT, 20_000)
        columns = rng.integers(0, WIDTH, 20_000)
        stored = rng.integers(4 * 256, 70 * 256, 20_000)
        image = np.zeros((HEIGHT, WIDTH), np.uint16)
        image[rows, columns] = stored
        truth[number] = image / np.float32(256)
        cv2.imwrite(str(folder / f"{number:010d}.png"), image)
    return truth


def commands(work: Path, options: argparse.Namespace) -> dict[str, dict[str, Command]]:
    """By task and contender."""
    monodepth = [str(Path(sys.executable).with_name("monodepth"))]
    more = shlex.split(options.ours)
    first = f"{work / 'kitti'}@0:{options.evaluate}:1"
    evaluate = [
        *monodepth,
        "evaluate",
        "depth",
        "--model",
        str(work / NAME),
        "--data",
        first,
        "--protocol",
        "eigen-improved",
        "--json",
        *more,
    ]
    found = {
        "predict": {
            "ours": [*monodepth, "predict", "images", "--model", str(work / NAME),
                     "--out", "predictions", *more],
        },
        "evaluate": {
            "ours": evaluate,
            "ours, any precision": [*evaluate, "--precision", "auto"],
        },
    }  # fmt: skip
    if options.reference:
        script = [sys.executable, str(SCRIPT), str(options.reference.resolve())]
        workers = str(min(12, len(os.sched_getaffinity(0))))
        found["predict"]["reference"] = [
            *script, "-", "test_simple", "--image_path", str(work / "images"),
            "--model_name", "mono_640x192", "--ext", "jpg",
        ]  # fmt: skip
        found["evaluate"]["reference"] = [
            *script, str(work / "splits"), "evaluate_depth", "--eval_mono", "--data_path",
            str(work / "kitti"), "--load_weights_folder", str(work / "weights"),
            "--eval_split", "eigen_benchmark", "--num_workers", workers,
        ]  # fmt: skip
    return {
        task: {
            name: Command(f"{task} {name}", getattr(options, task), arguments, work)
            for name, arguments in contenders.items()
        }
        for task, contenders in found.items()
    }


def figures(runs: list[dict[str, Any]], images: int) -> dict[str, Any]:
    """Medians of a contender's rounds."""
    seconds = median(run["seconds"] for run in runs)
    return {
        "seconds": seconds,
        "cpu_seconds": median(run["cpu_seconds"] for run in runs),
        "images_per_second": images / seconds,
        "rounds_seconds": [run["seconds"] for run in runs],
    }


def ratios(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """How many times as fast as the reference each other contender is, by both clocks."""
    theirs = result["reference"]
    return {
        f"ratio_{key}": {name: theirs[key] / ours[key] for name, ours in result.items()}
        for key in ("seconds", "cpu_seconds")
    }


def metrics_of(output: str) -> dict[str, float]:
    """abs_rel and a1 of what either evaluation prints."""
    if output.lstrip().startswith("{"):
        found = json.loads(output)
        return {"abs_rel": found["abs_rel"], "a1": found["a1"]}
    numbers = re.findall(r"&\s*([\d.]+)", output)
    return {"abs_rel": float(numbers[0]), "a1": float(numbers[4])}


def difference(work: Path, count: int) -> float:
    """Mean relative difference of both contenders' predictions, at the network's size."""
    found = []
    for file in sorted((work / "images").glob("*_disp.npy"))[:count]:
        theirs = np.load(file)[0, 0]
        name = file.name.replace("_disp.npy", "_depth.npy")
        ours = cv2.resize(1 / np.load(work / "predictions" / name), theirs.shape[::-1])
        found.append(np.abs(ours - theirs).mean() / theirs.mean())
    return float(np.mean(found))


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write after each task."""
    options = parse_arguments(arguments)
    report: dict[str, Any] = {
        "machine": describe_machine(),
        "settings": {"threads": options.threads, "rounds": options.rounds, "ours": options.ours,
                     "tiny": options.tiny, "model": NAME},
    }  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="offline-benchmark-") as folder:
        work = Path(folder)
        prepare(work, options)
        for task, contenders in commands(work, options).items():
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
            for number in range(options.rounds):
                for name in list(contenders)[:: 1 if number % 2 == 0 else -1]:
                    runs[name].append(contenders[name].run(options))
                    console.print(f"{task} {name}: {runs[name][-1]['seconds']:.1f} s")
            count = getattr(options, task)
            result = {name: figures(found, count) for name, found in runs.items()}
            if options.reference:
                result |= ratios(result)
                console.print(f"{task}: {result['ratio_seconds']} x the reference")
            if task == "evaluate":
                for name, found in runs.items():
                    result[name]["metrics"] = metrics_of(found[-1]["output"])
            elif options.reference:
                result["difference"] = difference(work, 20)
            report[task] = {"images": count, **result}
            with atomic_path(options.out) as temporary:
                temporary.write_text(json.dumps(report, indent=1) + "\n")
    if is_busy(report["machine"]):
        console.print(f"The machine was not idle: load {report['machine']['load_before']:.1f}.")
    console.print(f"written: {options.out}")


if __name__ == "__main__":
    main()
