"""What confidence costs in each engine: frames with it and without, in turns.

    python benchmark/confidence_cost.py
    python benchmark/confidence_cost.py --model mine --engine torch:fp32 --threads 2
    python benchmark/confidence_cost.py --tiny                            # tries it, in seconds

Processor time of all threads, which a busy machine does not change much; one process. All take
turns frame by frame, on the frames of the walk that comes with the bundled model. `network` is the
depth network alone, of the same model without a head for uncertainty, on a frame that is prepared.
`silent` is the model's own one where nobody asks for a variance, `telling` the same with it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.base import Rgb, depth_and_variance
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.weights import load_weights, save_model, split_off_head

ENGINES = ("torch:fp32", "openvino:fp32", "openvino:bf16", "onnxruntime:fp32")
IMAGE = (480, 640)  # of the camera


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--model", default="demo")
    add("--engine", nargs="*", default=ENGINES, help="ENGINE:PRECISION")
    add("--threads", type=int, default=1)
    add("--frames", type=int, default=200)
    add("--tiny", action="store_true", help="few frames: only to try it")
    out = Path(__file__).parent / "results" / "confidence_cost.json"
    add("--out", type=Path, default=out)
    options = parser.parse_args(arguments)
    options.frames = 3 if options.tiny else options.frames
    return options


def without_head(model: Path, folder: Path) -> Path:
    """The same model as if it never had the head."""
    card = load_card(model)
    states = load_weights(model, card)
    _, depth = split_off_head(states["depth"])
    plain = card.model_copy(update={"uncertainty": None, "error_model": None, "exports": []})
    save_model(folder, plain, {**states, "depth": depth})
    return folder


def measure(model: Path, plain: Path, name: str, threads: int, images: list[Rgb]) -> dict[str, Any]:
    """One engine: milliseconds of each contender, and what confidence makes of the network."""
    library, _, precision = name.partition(":")
    engine, headless = (
        load_engine(folder, library, "cpu", precision or "fp32", threads=threads)
        for folder in (model, plain)
    )
    one, whole = DepthEstimator(engine, output_size="network"), DepthEstimator(engine)
    views = DepthEstimator(engine, output_size="network", confidence_views=1)
    contenders: dict[str, Callable[[Rgb, Any, Any], object]] = {
        "network": lambda image, own, bare: headless.inverse_depth(bare),
        "silent": lambda image, own, bare: engine.inverse_depth(own),
        "telling": lambda image, own, bare: depth_and_variance(engine, own),
        "depth": lambda image, own, bare: one.estimate(image),
        "depth and confidence": lambda image, own, bare: one.estimate(image, None, True),
        "depth of the image's size": lambda image, own, bare: whole.estimate(image).depth,
        "the same and confidence": lambda image, own, bare: whole.estimate(image, None, True).depth,
        "depth and confidence, views: 1": lambda image, own, bare: views.estimate(
            image, None, True
        ),
    }
    times: dict[str, list[float]] = {contender: [] for contender in contenders}
    for image in [images[0], *images]:  # the first is not counted
        own, bare = engine.prepare(image[None]), headless.prepare(image[None])
        for contender, run in contenders.items():
            start = time.process_time()
            run(image, own, bare)
            times[contender].append(1000 * (time.process_time() - start))
    # Of a busy machine, whose caches are shared, the fastest tenth says most about the programs.
    fastest, medians = (
        {each: round(float(np.percentile(taken[1:], share)), 3) for each, taken in times.items()}
        for share in (10, 50)
    )
    return {
        **engine.describe(),
        "engine": name,
        "fastest_tenth_ms": fastest,
        "median_ms": medians,
        **_over_network(fastest),
    }


def _over_network(ms: dict[str, float]) -> dict[str, float]:
    """What the network takes with head, and with all that confidence needs, over it alone."""
    network = ms["network"]
    added = ms["depth and confidence"] - ms["depth"]
    enlarged = ms["the same and confidence"] - ms["depth of the image's size"]
    return {
        "silent_over_network": round(ms["silent"] / network, 3),
        "telling_over_network": round(ms["telling"] / network, 3),
        "confidence_over_network": round((network + added) / network, 3),
        "confidence_of_the_images_size_over_network": round((network + enlarged) / network, 3),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_arguments(arguments)
    cv2.setNumThreads(options.threads)
    (walk,) = open_sequence(share_directory() / "models" / "demo" / "sample_walk")
    images = [cv2.resize(walk.image(k % len(walk)), IMAGE[::-1]) for k in range(options.frames)]
    model, rows = resolve(options.model), []
    with tempfile.TemporaryDirectory() as folder:
        plain = without_head(model, Path(folder) / "plain")
        for name in options.engine:
            rows.append(measure(model, plain, name, options.threads, images))
            print(name)
            for contender, taken in rows[-1]["fastest_tenth_ms"].items():
                median = rows[-1]["median_ms"][contender]
                print(f"  {contender:36s} {taken:8.2f} ms, median {median:.2f} ms")
            for ratio, value in _over_network(rows[-1]["fastest_tenth_ms"]).items():
                print(f"  {ratio.replace('_', ' '):44s} {value:.2f}", flush=True)
    result = {
        "machine": describe_machine(),
        "model": options.model,
        "frames": options.frames,
        "threads": options.threads,
        "engines": rows,
    }
    with atomic_path(options.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
