"""What the head for uncertainty costs: runs of a model with it and without, in turns.

    python benchmark/uncertainty_cost.py --out results/uncertainty_cost.json

One image at the model's size, one thread, one process for each engine; both in turns, so that what
else the machine does falls on both. Told are medians and their ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from monodepth_ros.inference.engines.base import Engine, depth_and_variance
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.weights import load_weights, save_model, split_off_head

ENGINES = ("torch:fp32", "openvino:fp32", "openvino:bf16", "onnxruntime:fp32")
_RUNS = 10  # of each in a turn


def without_head(model: Path, folder: Path) -> Path:
    """The same model as if it never had the head."""
    card = load_card(model).model_copy(update={"uncertainty": None, "error_model": None})
    states = load_weights(model, load_card(model))
    _, depth = split_off_head(states["depth"])
    save_model(folder, card, {**states, "depth": depth})
    return folder


def milliseconds(engine: Engine, image: np.ndarray) -> float:
    """The median of a turn."""
    frames, times = engine.prepare(image), []
    for _ in range(_RUNS):
        begin = time.perf_counter()
        depth_and_variance(engine, frames)
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


def measure(model: Path, plain: Path, name: str, rounds: int) -> dict[str, float | str]:
    """One engine."""
    library, _, precision = name.partition(":")
    both = [load_engine(folder, library, "cpu", precision, threads=1) for folder in (plain, model)]
    image = np.random.default_rng(0).integers(0, 256, (1, *both[0].size, 3), dtype=np.uint8)
    for engine in both:
        milliseconds(engine, image)
    turns = [[milliseconds(engine, image) for engine in both] for _ in range(rounds)]
    without, with_ = (statistics.median(times) for times in zip(*turns, strict=True))
    ratio = statistics.median(told / silent for silent, told in turns)
    return {
        "engine": name,
        "without_ms": round(without, 3),
        "with_ms": round(with_, 3),
        "ratio": round(ratio, 3),
    }


def main() -> None:
    """Print a line for each engine, and write all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--engine", nargs="*", default=ENGINES)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="JSON file for the results")
    arguments = parser.parse_args()
    model, rows = resolve(arguments.model), []
    with tempfile.TemporaryDirectory() as folder:
        plain = without_head(model, Path(folder) / "plain")
        for name in arguments.engine:
            rows.append(measure(model, plain, name, arguments.rounds))
            print(json.dumps(rows[-1]), flush=True)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
