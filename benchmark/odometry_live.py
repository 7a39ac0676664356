"""Whether the odometry node keeps up with a camera on one core that it shares with the depth node.

    python benchmark/odometry_live.py --recording RECORDING --out odometry_live.json

Both nodes run at default settings with one thread, and both are bound to one core; what plays the
images and listens to depth and odometry has the others. Frames of the recording (rgb8, with
camera_info) are played forth and back, so that the camera never jumps. For each method of motion:
rate, latency from the image's stamp to the publication and drops as the nodes' diagnostics say
them, and the share of the core that each node takes. ``alone`` is the odometry node without the
other.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from common import paths  # noqa: F401 - the programs of common import each other
from machine import describe_machine
from processes import cpu_seconds, running

from monodepth_ros.dds_environment import private_environment
from monodepth_ros.inference.odometry.registry import METHODS
from monodepth_ros.share_directory import share_directory

PLAYER = """
import sys, time
import rclpy
from rclpy.qos import qos_profile_sensor_data as best_effort
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
rate, (sequence,) = float(sys.argv[1]), map(rectified, open_sequence(sys.argv[2]))
header = Header(frame_id="camera")
images = [encode_image(sequence.image(k), "rgb8", header) for k in range(len(sequence))]
info = info_of_camera(sequence.camera, header)
rclpy.init()
node = rclpy.create_node("player")
publishers = [node.create_publisher(kind, topic, best_effort)
              for kind, topic in ((CameraInfo, "camera_info"), (Image, "image_raw"))]
due = time.monotonic()
while True:
    for image in images + images[-2:0:-1]:
        stamp = node.get_clock().now().to_msg()
        info.header.stamp = image.header.stamp = stamp
        publishers[0].publish(info)
        publishers[1].publish(image)
        due = max(due + 1 / rate, time.monotonic() - 1 / rate)
        time.sleep(max(0.0, due - time.monotonic()))
"""
NODE = "from monodepth_ros.nodes.programs import {0}; {0}()"
VALUES = {
    "published_hz": "output rate (Hz)",
    "latency_median_ms": "latency median (ms)",
    "latency_p95_ms": "latency 95th percentile (ms)",
    "images_received": "images received",
    "images_dropped": "images dropped",
}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    walk = share_directory() / "models/demo/sample_walk"
    add = parser.add_argument
    add("--recording", default=str(walk), help="PATH or PATH@START:STOP; default: the demo's walk")
    add("--model", default="demo")
    add("--methods", nargs="+", default=list(METHODS))
    add("--rate", type=float, default=30.0, help="images a second (default 30)")
    add("--warmup", type=float, default=5.0, help="seconds before the measurement (default 5)")
    add("--seconds", type=float, default=20.0, help="of each measurement (default 20)")
    add("--out", type=Path)
    return parser.parse_args()


class Rig:
    """The listener, and what the nodes' diagnostics say."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from nav_msgs.msg import Odometry
        from sensor_msgs.msg import Image

        rclpy.init()
        self.node = rclpy.create_node("listener")
        self._heard: dict[str, dict[str, str]] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)
        for kind, topic in ((Image, "depth/image_rect"), (Odometry, "odom")):
            self.node.create_subscription(kind, topic, lambda message: None, 1, raw=True)

    def _hear(self, message: Any) -> None:
        for status in message.status:
            name = status.name.rpartition("/")[2].strip()
            self._heard[name] = {entry.key: entry.value for entry in status.values}

    def measure(
        self, options: argparse.Namespace, method: str, names: list[str]
    ) -> dict[str, dict[str, float]]:
        """Figures of each of the nodes ``names``."""
        given = ["-p", f"model:={options.model}", "-p", "device:=cpu", "-p", "threads:=1"]
        given += ["-p", "diagnostics_period:=0.5"]
        of_odometry = ["-p", f"method:={method}", "-p", "mounting:=parameters"]
        nodes = [
            [NODE.format(name), "--ros-args", *given]
            + (of_odometry if name == "odometry_node" else [])
            for name in names
        ]
        player = [PLAYER, str(options.rate), options.recording]
        own, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, set(others) or {own})
        cores = [{own}] * len(nodes) + [set(others) or {own}]
        self._heard.clear()
        try:
            with running([*nodes, player], cores) as pids:
                self._wait_for(names)
                self._spin(options.warmup)
                before, used = self._counts(names), [cpu_seconds(pid) for pid in pids[:-1]]
                begin = time.monotonic()
                self._spin(options.seconds)
                passed = time.monotonic() - begin
                shares = [(cpu_seconds(p) - u) / passed for p, u in zip(pids, used, strict=False)]
                after = self._counts(names)
        finally:
            os.sched_setaffinity(0, {own, *others})
        return {
            name: {
                **after[name],
                **{
                    key: after[name][key] - before[name][key]
                    for key in ("images_received", "images_dropped")
                },
                "share_of_the_core": share,
            }
            for name, share in zip(names, shares, strict=True)
        }

    def _counts(self, names: list[str]) -> dict[str, dict[str, float]]:
        return {
            name: {key: float(self._heard[name][value]) for key, value in VALUES.items()}
            for name in names
        }

    def _wait_for(self, names: list[str]) -> None:
        end = time.monotonic() + 120.0
        while any(float(self._heard.get(n, {}).get(VALUES["published_hz"], 0)) == 0 for n in names):
            if time.monotonic() > end:
                raise SystemExit(f"nothing is published: {self._heard}")
            self._spin(0.2)

    def _spin(self, seconds: float) -> None:
        import rclpy

        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            rclpy.spin_once(self.node, timeout_sec=left)


def main() -> None:
    options, machine = parse_arguments(), describe_machine()
    os.environ.update(private_environment())
    rig = Rig()
    rows: dict[str, Any] = {}
    for method in options.methods:
        rows[method] = {
            "beside_depth": rig.measure(options, method, ["odometry_node", "depth_node"]),
            "alone": rig.measure(options, method, ["odometry_node"]),
        }
        print(method, json.dumps(rows[method], indent=1), flush=True)
    settings = {key: value for key, value in vars(options).items() if key not in ("out", "methods")}
    settings["recording"] = Path(options.recording).name
    report = {"settings": settings, "machine": machine, "methods": rows}
    if options.out is not None:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
