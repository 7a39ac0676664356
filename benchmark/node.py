"""What the depth node costs besides the network, frame by frame, beside the bare network.

    python benchmark/node.py --out benchmark/results/node.json

A 640x480 rgb8 image with its camera_info goes through what the node does with it (decode, resize,
scale, validity, camera_info, depth, xyzrgb cloud at the image's size), and both results are
published to a subscriber in another process. The network is timed where it runs, between the rest,
and once more bare: alone in a loop it finds its weights in the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monodepth_ros.dds_environment import private_environment

SIZE = (480, 640)
LISTENER = """
import rclpy
from sensor_msgs.msg import Image, PointCloud2
rclpy.init()
node = rclpy.create_node("listener")
node.create_subscription(Image, "depth", lambda m: None, 1, raw=True)
node.create_subscription(PointCloud2, "points", lambda m: None, 1, raw=True)
rclpy.spin(node)
"""


class TimedEngine:
    """An engine that notes how long each call took."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.seconds: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def inverse_depth(self, frames: Any) -> Any:
        """As of the engine."""
        begin = time.perf_counter()
        result = self._engine.inverse_depth(frames)
        self.seconds.append(time.perf_counter() - begin)
        return result


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """The median time of ``work`` in milliseconds, after a tenth as many runs to warm up."""
    times = []
    for k in range(repeats + repeats // 10):
        begin = time.perf_counter()
        work()
        if k >= repeats // 10:
            times.append(1000 * (time.perf_counter() - begin))
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", default="demo")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ.update(private_environment())
    torch.set_num_threads(arguments.threads)
    figures = measure(arguments.model, arguments.repeats)
    figures |= {"threads": arguments.threads, "torch": torch.__version__}
    print(json.dumps(figures, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


def measure(model: str, repeats: int) -> dict[str, object]:
    """All figures, in milliseconds."""
    import rclpy
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image, PointCloud2
    from std_msgs.msg import Header

    from monodepth_ros.geometry.camera import PinholeCamera
    from monodepth_ros.inference.depth_estimator import DepthEstimator
    from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
    from monodepth_ros.nodes.conversions.camera_info import info_of_camera
    from monodepth_ros.nodes.conversions.images import encode_image
    from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier

    height, width = SIZE
    rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    camera = PinholeCamera.from_focal_length(width, height, 525.0, 525.0, 319.5, 239.5)
    header = Header(frame_id="camera_optical")
    message, info = encode_image(rgb, "rgb8", header), info_of_camera(camera, header)
    estimator = DepthEstimator(model, "cpu", output_size="image")
    image = estimator.engine.prepare(rgb[None])
    frames, pipeline = FrameRectifier(), DepthPipeline()
    requested = ("depth/image_rect", "depth/points")

    rclpy.init()
    node = rclpy.create_node("publisher")
    depth_publisher = node.create_publisher(Image, "depth", QoSProfile(depth=1))
    points_publisher = node.create_publisher(PointCloud2, "points", QoSProfile(depth=1))
    listener = subprocess.Popen([sys.executable, "-c", LISTENER])

    def results() -> tuple[Image, PointCloud2]:
        frame = frames.frame(message, info)
        seen = estimator.estimate(frame.rgb, frame.camera)
        made = pipeline.messages(frame, seen, requested)
        return made["depth/image_rect"], made["depth/points"]

    def whole_frame() -> None:
        depth, points = results()
        depth_publisher.publish(depth)
        points_publisher.publish(points)

    try:
        while not (
            depth_publisher.get_subscription_count() and points_publisher.get_subscription_count()
        ):
            time.sleep(0.05)
        depth, points = results()
        bare = median_ms(lambda: estimator.engine.inverse_depth(image), repeats)
        timed = TimedEngine(estimator.engine)
        estimator.engine = timed
        whole = median_ms(whole_frame, repeats)
        network = 1000 * float(np.median(timed.seconds[-repeats:]))
        return {
            "image": f"{width}x{height} rgb8",
            "bare_network_ms": bare,
            "network_between_the_rest_ms": network,
            "whole_frame_ms": whole,
            "besides_the_network_ms": whole - network,
            "publish_points_ms": median_ms(lambda: points_publisher.publish(points), repeats),
            "publish_depth_ms": median_ms(lambda: depth_publisher.publish(depth), repeats),
        }
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
        listener.kill()  # last: DDS shares memory with it


if __name__ == "__main__":
    main()
