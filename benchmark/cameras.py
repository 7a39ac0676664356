"""What several cameras cost in one depth node, beside as many nodes with one camera each.

    python benchmark/cameras.py --out benchmark/results/cameras.json

Cameras of 640x480 (rgb8, with camera_info) play at the same moments; a listener in another process
takes depth and the xyzrgb cloud at the network's size. Both kinds take turns in each round.
Latencies are those of the diagnostics, from the image's stamp to the publication, of the slowest
camera. The batch's own cost is what the work on that many images takes outside of ROS: decode,
resize, one run of the network, messages; with the same threads, before each measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine
from processes import cpu_seconds, running

from monodepth_ros.dds_environment import private_environment

COUNTS = (1, 2, 4, 6)
SIZE = (480, 640)
PLAYER = """
import sys, time
import numpy as np, rclpy
from rclpy.qos import qos_profile_sensor_data as best_effort
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
rate, names = float(sys.argv[1]), sys.argv[2:]
rclpy.init()
node = rclpy.create_node("player")
camera = PinholeCamera.from_focal_length(640, 480, 525.0, 525.0, 319.5, 239.5)
random = np.random.default_rng(0)
played = []
for name in names:
    rgb = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    header = Header(frame_id=name)
    played.append((
        node.create_publisher(CameraInfo, name + "/camera_info", best_effort),
        info_of_camera(camera, header),
        node.create_publisher(Image, name + "/image_raw", best_effort),
        encode_image(rgb, "rgb8", header),
    ))
due = time.monotonic()
while True:
    stamp = node.get_clock().now().to_msg()
    for infos, info, images, image in played:
        info.header.stamp = image.header.stamp = stamp
        infos.publish(info)
        images.publish(image)
    due = max(due + 1 / rate, time.monotonic() - 1 / rate)
    time.sleep(max(0.0, due - time.monotonic()))
"""
LISTENER = """
import sys, rclpy
from sensor_msgs.msg import Image, PointCloud2
rclpy.init()
node = rclpy.create_node("listener")
for name in sys.argv[1:]:
    node.create_subscription(Image, name + "/depth/image_rect", lambda m: None, 1, raw=True)
    node.create_subscription(PointCloud2, name + "/depth/points", lambda m: None, 1, raw=True)
rclpy.spin(node)
"""
NODE = "from monodepth_ros.nodes.programs import depth_node; depth_node()"


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("--model", default="demo")
    add("--engine", default="openvino")
    add("--precision", default="fp32")
    add("--threads", type=int, default=1)
    add("--rate", type=float, default=3.0, help="images a second of each camera (default 3)")
    add("--counts", type=int, nargs="+", default=COUNTS, help="numbers of cameras")
    add("--seconds", type=float, default=6.0, help="of each measurement (default 6)")
    add("--rounds", type=int, default=3)
    add("--out", type=Path)
    return parser.parse_args(arguments)


def own_cost_ms(options: argparse.Namespace, cameras: int, repeats: int = 15) -> float:
    """Median milliseconds of the work on one image of each camera, outside of ROS."""
    from std_msgs.msg import Header

    from monodepth_ros.geometry.camera import PinholeCamera
    from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
    from monodepth_ros.inference.engines.registry import load_engine
    from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
    from monodepth_ros.nodes.conversions.camera_info import info_of_camera
    from monodepth_ros.nodes.conversions.images import encode_image
    from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier

    engine = load_engine(
        options.model, options.engine, "cpu", options.precision, threads=options.threads
    )
    estimator = DepthEstimator(engine, output_size="network")
    rgb = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    message = encode_image(rgb, "rgb8", Header())
    camera = PinholeCamera.from_focal_length(SIZE[1], SIZE[0], 525.0, 525.0, 319.5, 239.5)
    info = info_of_camera(camera, Header())
    streams = [(FrameRectifier(), DepthPipeline()) for _ in range(cameras)]
    times = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        frames = [rectifier.frame(message, info) for rectifier, _ in streams]
        found = estimator.estimate_batch([DepthRequest(f.rgb, f.camera) for f in frames])
        for (_, pipeline), frame, prediction in zip(streams, frames, found, strict=True):
            pipeline.messages(frame, prediction, ("depth/image_rect", "depth/points"))
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times[2:])


class Rig:
    """Nodes under load, and what their diagnostics say."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray

        rclpy.init()
        self.node = rclpy.create_node("benchmark")
        self._heard: dict[str, dict[str, str]] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)

    def _hear(self, message: Any) -> None:
        for status in message.status:
            self._heard[status.name] = {entry.key: entry.value for entry in status.values}

    def measure(self, options: argparse.Namespace, cameras: int, shared: bool) -> dict[str, float]:
        """One node for all cameras if ``shared``, else a node for each."""
        import rclpy

        names = [f"camera{k}" for k in range(cameras)]
        given = [
            *("-p", f"model:={options.model}", "-p", f"engine:={options.engine}"),
            *("-p", f"precision:={options.precision}", "-p", f"threads:={options.threads}"),
            *("-p", "device:=cpu", "-p", "diagnostics_period:=0.5"),
        ]
        nodes = [[NODE, "--ros-args", *given, "-p", f"cameras:=[{', '.join(names)}]"]]
        if not shared:
            nodes = [[NODE, "--ros-args", *given, "-r", f"__ns:=/{name}"] for name in names]
        player, listener = [PLAYER, str(options.rate), *names], [LISTENER, *names]
        self._heard.clear()
        with running([listener, player, *nodes]) as pids:
            end = time.monotonic() + 60.0
            while not self._all_publish(names, shared):
                if time.monotonic() > end:
                    raise SystemExit(f"no depth of {cameras} cameras: {self._heard}")
                rclpy.spin_once(self.node, timeout_sec=0.2)
            begin, used = time.monotonic(), sum(map(cpu_seconds, pids[2:]))
            while (passed := time.monotonic() - begin) < options.seconds:
                rclpy.spin_once(self.node, timeout_sec=0.2)
            cpu = sum(map(cpu_seconds, pids[2:])) - used
            memory = sum(map(resident_mb, pids[2:]))
        streams = self._streams(names, shared)
        return {
            "latency_median_ms": max(float(s["latency median (ms)"]) for s in streams),
            "latency_p95_ms": max(float(s["latency 95th percentile (ms)"]) for s in streams),
            "published_hz": sum(float(s["output rate (Hz)"]) for s in streams),
            "least_published_hz": min(float(s["output rate (Hz)"]) for s in streams),
            "cores": cpu / passed,
            "memory_mb": memory,
        }

    def _streams(self, names: list[str], shared: bool) -> list[dict[str, str]]:
        keys = [f"depth_node: {name}" if shared else f"{name}/depth_node" for name in names]
        if shared and len(names) == 1:
            keys = [key for key in self._heard if key.startswith("depth_node")][-1:]
        return [self._heard.get(key, {}) for key in keys]

    def _all_publish(self, names: list[str], shared: bool) -> bool:
        streams = self._streams(names, shared)
        return bool(streams) and all(float(s.get("output rate (Hz)", 0)) > 0 for s in streams)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    options, machine = parse_arguments(), describe_machine()
    os.environ.update(private_environment())
    rig = Rig()
    rows: dict[str, dict[str, Any]] = {}
    for cameras in options.counts:
        costs: list[float] = []
        found: dict[str, list[dict[str, float]]] = {"one_node": [], "a_node_each": []}
        for _ in range(options.rounds):
            for name, runs in found.items():
                costs.append(own_cost_ms(options, cameras))
                runs.append(rig.measure(options, cameras, name == "one_node"))
        rows[str(cameras)] = {
            "batch_own_cost_ms": statistics.median(costs),
            **{
                name: {key: statistics.median(run[key] for run in runs) for key in runs[0]}
                for name, runs in found.items()
            },
        }
        print(cameras, json.dumps(rows[str(cameras)], indent=1), flush=True)
    settings = {key: value for key, value in vars(options).items() if key not in ("out", "counts")}
    report = {
        "settings": settings,
        "image": "640x480 rgb8",
        "machine": machine,
        "cameras": rows,
    }
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
