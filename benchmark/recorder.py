"""The recorder beside a camera of 640x480 at 30 Hz, its depth and its clouds: losses and load.

    python benchmark/recorder.py --folder DIR --minutes 10 --out results/recorder.json

The camera's images (rgb8) come best effort, as a driver sends them; depth (192x128, 32FC1) and
clouds of that size (xyzrgb) reliably, as `depth_node` does. What was sent is counted by its sender,
what was written by the recorder's diagnostics. Processor time is that of the recorder's process,
all threads, by /proc. The oldest bags are removed meanwhile, so that the disk need not hold all.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from monodepth_ros.dds_environment import private_environment

CAMERA = """
import signal, sys, time, numpy as np, rclpy
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image, filled
from rclpy.signals import SignalHandlerOptions
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("camera")
header = Header(frame_id="camera_optical")
rng = np.random.default_rng(0)
image = encode_image(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8), "rgb8", header)
depth = encode_depth(rng.random((128, 192), dtype=np.float32) + 1, "32FC1", header)
cloud = PointCloud2(header=header, height=128, width=192, point_step=16, row_step=16 * 192,
                    data=filled(rng.integers(0, 256, 128 * 192 * 16, dtype=np.uint8)))
publishers = [(node.create_publisher(Image, "image_raw", qos_profile_sensor_data), image),
              (node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data),
               CameraInfo(header=header)),
              (node.create_publisher(Image, "depth/image_rect", QoSProfile(depth=1)), depth),
              (node.create_publisher(PointCloud2, "depth/points", QoSProfile(depth=1)), cloud)]
going, sent = True, 0
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
while publishers[0][0].get_subscription_count() == 0:
    time.sleep(0.1)
time.sleep(2.0)
begin = time.monotonic()
while going:
    time.sleep(max(0.0, begin + sent / 30 - time.monotonic()))
    stamp = node.get_clock().now().to_msg()
    for publisher, message in publishers:
        message.header.stamp = stamp
        publisher.publish(message)
    sent += 1
time.sleep(1.0)
print(sent, flush=True)
"""
FRAME_BYTES = 640 * 480 * 3 + 192 * 128 * 4 + 192 * 128 * 16
TOPICS = "topics:=[image_raw, camera_info, depth/image_rect, depth/points]"


def processor_seconds(pid: int) -> float:
    """Of all threads of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Diagnostics:
    """What the recorder says of itself."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray

        rclpy.init()
        self._spin_once = rclpy.spin_once
        self._node = rclpy.create_node("listener")
        self._facts: dict[str, str] = {}
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._read, 10)

    def after(self, seconds: float) -> dict[str, str]:
        """The newest facts after so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._spin_once(self._node, timeout_sec=min(left, 0.5))
        return self._facts

    def _read(self, message: Any) -> None:
        self._facts = {pair.key: pair.value for pair in message.status[0].values}


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Record for so long, and count."""
    os.environ.update(private_environment())
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    diagnostics = Diagnostics()
    program = "from monodepth_ros.nodes.programs import recorder_node; recorder_node()"
    parameters = [TOPICS, f"folder:={folder}", "max_bag_size_mb:=1000.0", "remove_oldest:=true"]
    parameters += ["disk_budget_mb:=4000.0"]
    arguments = [word for parameter in parameters for word in ("-p", parameter)]
    recorder = subprocess.Popen(
        [sys.executable, "-c", program, "--ros-args", *arguments], env=environment
    )
    camera = subprocess.Popen(
        [sys.executable, "-c", CAMERA], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        time.sleep(10.0)  # both have found each other
        before, began = processor_seconds(recorder.pid), time.monotonic()
        time.sleep(seconds)
        spent, passed = processor_seconds(recorder.pid) - before, time.monotonic() - began
        camera.send_signal(signal.SIGTERM)
        output, _ = camera.communicate(timeout=20)
        facts = diagnostics.after(3.0)
        recorder.send_signal(signal.SIGINT)
        recorder.wait(60.0)
    finally:
        for process in (camera, recorder):
            process.kill()
    sent = int(output)
    return {
        "seconds": passed,
        "sent": 4 * sent,
        "written": int(facts["messages written"]),
        "lost_to_a_slow_disk": int(facts["messages lost"]),
        "processor_share_of_a_core": spent / passed,
        "megabytes_a_second": 30 * FRAME_BYTES / 1e6,
    }


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="on the disk to record to; a temporary one")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = measure(Path(folder), 60 * arguments.minutes)
    print(json.dumps(figures, indent=1))
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
