"""A long run of the depth node: start-up, latency minute by minute, drops, memory.

    python benchmark/soak.py --minutes 10 --out benchmark/results/soak.json

A camera in a process of its own sends 640x480 rgb8 images at 30 Hz, best effort, by the package's
DDS profile; the depth image is heard here. The bare network's time is measured before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monodepth_ros.dds_environment import private_environment

RATE = 30
CAMERA = f"""
import time, rclpy, numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
rclpy.init()
node = rclpy.create_node("camera")
images = node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
infos = node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
camera = PinholeCamera.from_focal_length(640, 480, 525.0, 525.0, 319.5, 239.5)
header = Header(frame_id="camera_optical")
image = encode_image(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8),
                     "rgb8", header)
info = info_of_camera(camera, header)
k, begin = 0, time.monotonic()
while True:
    time.sleep(max(0.0, begin + k / {RATE} - time.monotonic()))
    k += 1
    image.header.stamp = info.header.stamp = node.get_clock().now().to_msg()
    infos.publish(info)
    images.publish(image)
"""


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"process {pid} tells no memory")


def network_ms(model: str) -> float:
    """The bare network's median time on one thread."""
    from monodepth_ros.inference.depth_estimator import DepthEstimator

    torch.set_num_threads(1)
    estimator = DepthEstimator(model, "cpu")
    frames = estimator.engine.prepare(np.zeros((1, *estimator.size, 3), np.uint8))
    times = []
    for _ in range(60):
        begin = time.perf_counter()
        estimator.engine.inverse_depth(frames)
        times.append(1000 * (time.perf_counter() - begin))
    return float(np.median(times[10:]))


class Listener:
    """Hears depth and diagnostics."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import Image

        rclpy.init()
        self._spin_once = rclpy.spin_once
        self.node = rclpy.create_node("listener")
        self.latencies: list[float] = []
        self.facts: dict[str, str] = {}
        self.node.create_subscription(Image, "depth/image_rect", self._hear, QoSProfile(depth=1))
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._read, 10)

    def _hear(self, message: Any) -> None:
        stamp = message.header.stamp
        now = self.node.get_clock().now().nanoseconds
        self.latencies.append((now - stamp.sec * 10**9 - stamp.nanosec) * 1e-6)

    def _read(self, message: Any) -> None:
        self.facts = {pair.key: pair.value for pair in message.status[0].values}

    def until(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            self._spin_once(self.node, timeout_sec=min(left, 0.5))


def soak(minutes: int) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    camera = subprocess.Popen([sys.executable, "-c", CAMERA], env=environment)
    listener = Listener()
    listener.until(time.monotonic() + 3.0)
    program = "from monodepth_ros.nodes.programs import depth_node; depth_node()"
    began = time.monotonic()
    node = subprocess.Popen(
        [sys.executable, "-c", program, "--ros-args", "-p", "device:=cpu"], env=environment
    )
    try:
        while not listener.latencies:
            listener.until(time.monotonic() + 0.02)
        first = time.monotonic() - began
        listener.until(time.monotonic() + 10.0)  # warm
        rows = []
        for minute in range(minutes):
            listener.latencies.clear()
            listener.until(time.monotonic() + 60.0)
            median, p95 = np.percentile(listener.latencies, (50, 95))
            rows.append(
                {
                    "minute": minute + 1,
                    "depth_hz": len(listener.latencies) / 60,
                    "latency_median_ms": float(median),
                    "latency_p95_ms": float(p95),
                    "resident_mb": resident_mb(node.pid),
                }
            )
            print(rows[-1], flush=True)
        return {"start_to_first_depth_s": first, "minutes": rows, "diagnostics": listener.facts}
    finally:
        for process in (node, camera):
            process.kill()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ.update(private_environment())
    before = network_ms("demo")
    figures = {"network_ms_before": before, **soak(arguments.minutes)}
    figures["network_ms_after"] = network_ms("demo")
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
