"""What the depth node costs besides the network, frame by frame, beside the bare network.

    python benchmark/node.py --out benchmark/results/node.json
    python benchmark/node.py --reference ~/monodepth2

A 640x480 rgb8 image with its camera_info goes through what the node does with it (decode, resize,
scale, validity, camera_info, depth, xyzrgb cloud at the image's size), and both results are
published to a subscriber in another process, on a core of its own where there are two. The network
is timed where it runs, between the rest, and once more bare: alone in a loop it finds its weights
in the cache. Stages are in time of this thread, so that other work on the machine counts little.

With --reference, the public Monodepth2 takes every second turn with the same image, as its test
script does it: resized by Pillow, its ResNet-18, depth of the network's size and disparity of the
image's; it publishes nothing. It runs in a process of its own on the same core.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine
from resnet18_model import make_resnet18
from turns import Contender, cores_for

from monodepth_ros.dds_environment import private_environment

SIZE = (480, 640)
TURN = 20  # frames
LISTENER = """
import rclpy
from sensor_msgs.msg import Image, PointCloud2
rclpy.init()
node = rclpy.create_node("listener")
node.create_subscription(Image, "depth", lambda m: None, 1, raw=True)
node.create_subscription(PointCloud2, "points", lambda m: None, 1, raw=True)
rclpy.spin(node)
"""


class Stages:
    """Milliseconds of this thread, and by the clock, of named parts of each frame."""

    def __init__(self) -> None:
        self.thread: defaultdict[str, list[float]] = defaultdict(list)
        self.clock: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Time what stands below."""
        clock, thread = time.perf_counter(), time.thread_time()
        yield
        self.thread[name].append(1000 * (time.thread_time() - thread))
        self.clock[name].append(1000 * (time.perf_counter() - clock))

    def calls(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, its calls timed."""

        def timed(*arguments: Any, **settings: Any) -> Any:
            with self.of(name):
                return function(*arguments, **settings)

        return timed


class TimedEngine:
    """An engine whose calls are stages."""

    def __init__(self, engine: Any, stages: Stages) -> None:
        self._engine = engine
        self.inverse_depth = stages.calls("network", engine.inverse_depth)
        self.depth_and_variance = stages.calls("network", engine.depth_and_variance)
        self.prepare = stages.calls("resize", engine.prepare)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--engine", default="torch")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--reference", type=Path, help="checkout of the public Monodepth2")
    parser.add_argument("--tiny", action="store_true", help="few frames: only to try it")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.repeats = TURN
    os.environ.update(private_environment())
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    figures: dict[str, Any] = {"machine": describe_machine()}
    with tempfile.TemporaryDirectory(prefix="node-benchmark-") as work:
        figures |= measure(arguments, Path(work))
    print(json.dumps(figures, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """All figures, in milliseconds."""
    import rclpy
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image, PointCloud2
    from std_msgs.msg import Header

    from monodepth_ros.geometry.camera import PinholeCamera
    from monodepth_ros.inference.depth_estimator import DepthEstimator
    from monodepth_ros.inference.engines.registry import load_engine
    from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
    from monodepth_ros.nodes.conversions.camera_info import info_of_camera
    from monodepth_ros.nodes.conversions.images import encode_image
    from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier

    reference = start_reference(arguments, work)
    everywhere, own = os.sched_getaffinity(0), cores_for(arguments.threads)
    listener = subprocess.Popen(
        [sys.executable, "-c", LISTENER],
        preexec_fn=lambda: os.sched_setaffinity(0, everywhere - own or everywhere),
    )
    os.sched_setaffinity(0, own)
    height, width = SIZE
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    camera = PinholeCamera.from_focal_length(width, height, 525.0, 525.0, 319.5, 239.5)
    header = Header(frame_id="camera_optical")
    message, info = encode_image(rgb, "rgb8", header), info_of_camera(camera, header)
    engine = load_engine(
        arguments.model,
        arguments.engine,
        "cpu",
        arguments.precision,
        threads=arguments.threads,
    )
    image, stages, bare = engine.prepare(rgb[None]), Stages(), Stages()
    estimator = DepthEstimator(TimedEngine(engine, stages), output_size="image")
    frames, pipeline = FrameRectifier(), DepthPipeline()

    rclpy.init()
    node = rclpy.create_node("publisher")
    publishers = {
        "depth/image_rect": node.create_publisher(Image, "depth", QoSProfile(depth=1)),
        "depth/points": node.create_publisher(PointCloud2, "points", QoSProfile(depth=1)),
    }

    def whole_frame() -> None:
        with stages.of("whole frame"):
            with stages.of("decode"):
                frame = frames.frame(message, info)
            with stages.of("estimate"):
                seen = estimator.estimate(frame.rgb, frame.camera)
            with stages.of("messages"):
                made = pipeline.messages(frame, seen, tuple(publishers))
            for topic, publisher in publishers.items():
                with stages.of(f"publish {topic}"):
                    publisher.publish(made[topic])

    theirs: list[dict[str, Any]] = []
    try:
        while not all(p.get_subscription_count() for p in publishers.values()):
            time.sleep(0.05)
        whole_frame()
        for times in (stages.thread, stages.clock):
            times.clear()  # the first frame computes what the others use
        for _ in range(0, arguments.repeats, TURN):
            for _ in range(TURN):
                whole_frame()
            for _ in range(TURN):
                with bare.of("network"):
                    engine.inverse_depth(image)
            if reference is not None:
                theirs.append(reference.ask({"frames": TURN}))
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
        listener.kill()  # last: DDS shares memory with it
        if reference is not None:
            reference.close()
    return {
        "image": f"{width}x{height} rgb8",
        "threads": arguments.threads,
        "engine": engine.describe(),
        "bare_network_ms": float(np.median(bare.clock["network"])),
        **summary(stages),
        "reference": reference_summary(theirs) if theirs else None,
    }


def summary(stages: Stages) -> dict[str, Any]:
    """Medians over the frames; what is besides the network is taken frame by frame."""

    def besides(times: dict[str, list[float]]) -> float:
        return float(np.median(np.subtract(times["whole frame"], times["network"])))

    medians = {name: float(np.median(times)) for name, times in stages.thread.items()}
    medians["estimate"] -= medians["network"] + medians["resize"]
    return {
        "network_between_the_rest_ms": float(np.median(stages.clock["network"])),
        "whole_frame_ms": float(np.median(stages.clock["whole frame"])),
        "besides_the_network_ms": besides(stages.clock),
        "besides_the_network_thread_ms": besides(stages.thread),
        "stages_thread_ms": medians,
    }


def start_reference(arguments: argparse.Namespace, work: Path) -> Contender | None:
    """The reference in a process of its own; None where none is given."""
    if arguments.reference is None:
        return None
    make_resnet18(work, arguments.reference)
    request = {
        "reference": str(arguments.reference),
        "weights": str(work / "weights"),
        "threads": arguments.threads,
        "size": SIZE,
    }
    cores = cores_for(arguments.threads)
    return Contender("reference_frame.py", request, cores, arguments.threads)


def reference_summary(turns: list[dict[str, Any]]) -> dict[str, float]:
    """Medians over all frames of all turns."""
    whole = np.concatenate([turn["whole_ms"] for turn in turns])
    network = np.concatenate([turn["network_ms"] for turn in turns])
    return {
        "whole_frame_ms": float(np.median(whole)),
        "network_ms": float(np.median(network)),
        "besides_the_network_ms": float(np.median(whole - network)),
    }


if __name__ == "__main__":
    main()
