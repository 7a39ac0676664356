"""What confidence costs beside the network: time of a frame without it, with it, and with views.

    python benchmark/confidence_cost.py
    python benchmark/confidence_cost.py --model mine --engine torch:fp32 --threads 2
    python benchmark/confidence_cost.py --tiny                            # tries it, in seconds

Processor time of all threads, which a busy machine does not change much. All take turns frame by
frame, in one process, on the frames of the walk that comes with the bundled model. `network` is the
depth network alone, on a frame that is prepared.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.uncertainty.views import MAX_VIEWS
from monodepth_ros.share_directory import share_directory

IMAGE = (480, 640)  # of the camera


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--model", default="demo")
    add("--engine", default="auto", help="ENGINE:PRECISION, or auto")
    add("--threads", type=int, default=1)
    add("--frames", type=int, default=300)
    add("--tiny", action="store_true", help="few frames: only to try it")
    out = Path(__file__).parent / "results" / "confidence_cost.json"
    add("--out", type=Path, default=out)
    options = parser.parse_args(arguments)
    options.frames = 3 if options.tiny else options.frames
    return options


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_arguments(arguments)
    cv2.setNumThreads(options.threads)
    name, _, precision = options.engine.partition(":")
    engine = load_engine(options.model, name, "cpu", precision or "auto", threads=options.threads)
    (walk,) = open_sequence(share_directory() / "models" / "demo" / "sample_walk")
    images = [cv2.resize(walk.image(k % len(walk)), IMAGE[::-1]) for k in range(options.frames)]
    plain = DepthEstimator(engine, output_size="network")
    views = {
        count: DepthEstimator(engine, output_size="network", confidence_views=count)
        for count in (1, MAX_VIEWS)
    }
    contenders = {
        "network": lambda image, frames: engine.inverse_depth(frames),
        "depth": lambda image, frames: plain.estimate(image),
        "depth and confidence": lambda image, frames: plain.estimate(image, None, True),
        **{
            f"depth and confidence, views: {count}": lambda image, frames, views=one: (
                views.estimate(image, None, True)
            )
            for count, one in views.items()
        },
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for image in [images[0], *images]:  # the first is not counted
        frames = engine.prepare(image[None])
        for name, run in contenders.items():
            start = time.process_time()
            run(image, frames)
            times[name].append(1000 * (time.process_time() - start))
    # Of a busy machine, whose caches are shared, the fastest tenth says most about the programs.
    fastest, medians = (
        {name: float(np.percentile(taken[1:], share)) for name, taken in times.items()}
        for share in (10, 50)
    )
    network = fastest["network"]
    added = fastest["depth and confidence"] - fastest["depth"]
    result = {
        "machine": describe_machine(),
        "model": engine.card.name,
        "engine": engine.describe(),
        "frames": options.frames,
        "fastest_tenth_ms": fastest,
        "median_ms": medians,
        "confidence_ms": added,
        "network_with_confidence_over_network": (network + added) / network,
    }
    for name, median in medians.items():
        print(f"{name:32s} {fastest[name]:8.2f} ms, median {median:.2f} ms")
    print(f"network with confidence over network alone: {(network + added) / network:.2f}")
    with atomic_path(options.out) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
