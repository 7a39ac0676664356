"""The odometry node with each method of motion, on DDS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from drive import ANY_METHOD, SECOND, Drive, play_and_hear
from nav_msgs.msg import Odometry
from viewer import CAMERA, Viewer, of_status

from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import METHODS, load_method


def start(viewer: Viewer, start_node: Any, *parameters: str) -> tuple[Drive, Any]:
    viewer.listen(Odometry, "odom")
    child = start_node("odometry_node", *ANY_METHOD, *parameters)
    drive = Drive(viewer)
    viewer.until(lambda: viewer.heard["odom"], play=drive.begin)
    return drive, child


@pytest.mark.parametrize("method", METHODS)
def test_the_node_says_what_its_tracker_says(viewer: Viewer, start_node: Any, method: str) -> None:
    drive, _ = start(viewer, start_node, f"method:={method}")
    heard = [viewer.heard["odom"][0]] + [play_and_hear(viewer, drive) for _ in range(3)]
    tracker = CameraTracker(load_method(method, "demo", "cpu"))
    T_base_camera = base_from_camera(np.zeros(3), np.zeros(3))
    for k, message in enumerate(heard):
        tracked = tracker.add(drive.images[k], CAMERA, k * SECOND // 10)
        assert tracked is not None
        expected = T_base_camera @ tracked.T_world_camera @ np.linalg.inv(T_base_camera)
        position = message.pose.pose.position
        found = [position.x, position.y, position.z]
        np.testing.assert_allclose(found, expected[:3, 3], atol=1e-4)
    viewer.until(lambda: of_status(viewer, "frames: motion") == "3")
    assert of_status(viewer, "method") == method
    assert tracked.motion is not None
    made_by = of_status(viewer, "method of the last motion")
    assert made_by == tracked.motion.method
    assert int(of_status(viewer, f"motions: {made_by}") or 0) > 0


def test_the_former_parameter_is_understood_and_told(viewer: Viewer, start_node: Any) -> None:
    drive, child = start(viewer, start_node, "refine:=true")
    play_and_hear(viewer, drive)
    viewer.until(lambda: of_status(viewer, "motions: refined") == "1")
    assert of_status(viewer, "method") == "refined"
    child.terminate()
    said, _ = child.communicate(timeout=30.0)
    assert said.count("parameter refine: write method: refined instead") == 1
