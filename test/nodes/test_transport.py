"""Large images between processes, by the DDS profile that comes with the package."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from viewer import Viewer, of_status

from monodepth_ros.dds_environment import profile_environment

SECONDS, RATE = 20, 30
# As a camera driver does: best effort, and from a process of its own.
CAMERA = f"""
import time, rclpy
from array import array
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
image = Image(height=720, width=1280, encoding="rgb8", step=3840)
image.header.frame_id = "camera_optical"
image.data = array("B", bytes(3840 * 720))
while publisher.get_subscription_count() == 0:
    time.sleep(0.05)
time.sleep(0.5)
begin = time.monotonic()
for k in range({SECONDS * RATE}):
    time.sleep(max(0.0, begin + k / {RATE} - time.monotonic()))
    image.header.stamp = node.get_clock().now().to_msg()
    publisher.publish(image)
print("sent", time.monotonic() - begin, flush=True)
time.sleep(1.0)
rclpy.shutdown()
"""


@pytest.mark.alone
@pytest.mark.slow
def test_no_large_image_is_lost_on_its_way(
    viewer: Viewer, start_node: Any, ros_environment: dict[str, str]
) -> None:
    start_node("depth_node", "device:=cpu", "diagnostics_period:=0.2")
    environment = ros_environment | profile_environment()
    camera = subprocess.Popen(
        [sys.executable, "-c", CAMERA], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        viewer.until(lambda: camera.poll() is not None, SECONDS + 60)
    finally:
        camera.kill()
        output = camera.communicate()[0]
    if float(output.split()[1]) > SECONDS * 1.05:
        pytest.skip(f"this machine is too busy to send {RATE} images a second: {output}")
    viewer.heard["/diagnostics"].clear()
    viewer.until(lambda: viewer.status)
    received = int(of_status(viewer, "images received") or 0)
    assert received >= 0.99 * SECONDS * RATE, f"{received} of {SECONDS * RATE}"
