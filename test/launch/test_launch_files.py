"""The launch files, by ROS's own launch system; skipped where that is not installed."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from launch_script import LAUNCH

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")
pytest.importorskip("launch_ros", reason="launch is not on PyPI")

from drive import SECOND, Drive, stamp_of
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import PythonLaunchDescriptionSource
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image
from viewer import CAMERA, Viewer, of_status

from launch import LaunchContext
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.zoo.versions import ModelVersions

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))
NODES = ("depth_node", "odometry_node", "recorder_node", "tuner_node")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as an ament index knows it: a marker, and the nodes in lib/."""
    marker = tmp_path / "share/ament_index/resource_index/packages/monodepth_ros"
    marker.parent.mkdir(parents=True)
    marker.touch()
    for node in NODES:
        program = tmp_path / "lib/monodepth_ros" / node
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nfrom monodepth_ros.nodes.programs import {node}\n{node}()\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
    known = os.environ.get("AMENT_PREFIX_PATH", "")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{known}".rstrip(":"))


@pytest.fixture
def launch(ros_environment: dict[str, str], installed: None) -> Iterator[Any]:
    """Starts a launch file with arguments; it ends with the test."""
    running: list[subprocess.Popen[str]] = []

    def run(file: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LAUNCH, str(ROOT / "launch" / file), *arguments]
        running.append(
            subprocess.Popen(
                command,
                env=dict(os.environ),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
        return running[-1]

    yield run
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("file", FILES)
def test_every_argument_is_described(file: str) -> None:
    description = PythonLaunchDescriptionSource(str(ROOT / "launch" / file)).get_launch_description(
        LaunchContext()
    )
    arguments = [e for e in description.entities if isinstance(e, DeclareLaunchArgument)]
    assert arguments and all(argument.description for argument in arguments)


def test_depth_in_the_cameras_namespace(viewer: Viewer, launch: Any) -> None:
    viewer.listen(Image, "front/depth/image_rect")
    process = launch("depth.launch.py", "namespace:=front", "device:=cpu")
    camera = viewer.in_namespace("front")
    viewer.until(lambda: viewer.heard["front/depth/image_rect"], play=camera)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output


def test_depth_and_odometry_in_one_scale(viewer: Viewer, launch: Any) -> None:
    """Twice the model's unit, in depth and in the steps of odometry alike."""
    viewer.listen(Odometry, "camera/odom")
    viewer.listen(Image, "camera/depth/image_rect")
    launch(
        "depth_and_odometry.launch.py",
        "device:=cpu",
        "method:=network",
        "scale_source:=fixed",
        "scale_factor:=2",
        "image_raw:=/image_raw",
        "camera_info:=/camera_info",
    )
    drive = Drive(viewer)
    viewer.until(
        lambda: viewer.heard["camera/odom"] and viewer.heard["camera/depth/image_rect"],
        play=drive.begin,
    )
    depth = decode_depth(viewer.heard["camera/depth/image_rect"][0])
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    seen = estimator.estimate(drive.images[0], CAMERA)
    np.testing.assert_allclose(depth, 2 * seen.depth, rtol=1e-3)

    tracker = CameraTracker(load_method("network", "demo", "cpu"))
    for k in range(4):
        if k > 0:
            drive.play()
            viewer.until(lambda: stamp_of(viewer.heard["camera/odom"][-1]) == drive.now)
        tracked = tracker.add(drive.images[k], CAMERA, k * SECOND // 10, 2.0)
        assert tracked is not None
        point = viewer.heard["camera/odom"][-1].pose.pose.position
        # The camera's axes on a robot that looks forward: z is x, x is -y, y is -z.
        x, y, z = tracked.T_world_camera[:3, 3]
        np.testing.assert_allclose([point.x, point.y, point.z], [z, -x, -y], atol=1e-4)


def test_a_speed_is_measured_by_odometry_and_followed_by_depth(viewer: Viewer, launch: Any) -> None:
    launch("depth_and_odometry.launch.py", "device:=cpu", "scale_source:=speed")
    sources: dict[str, str] = {}

    def known() -> bool:
        for array in viewer.heard["/diagnostics"]:
            values = {pair.key: pair.value for pair in array.status[0].values}
            sources[array.status[0].name] = values.get("scale source", "")
        return sources.get("camera/depth_node") == "topic" and (
            sources.get("camera/odometry_node") == "speed"
        )

    viewer.until(known)


def test_a_camera_is_recorded(viewer: Viewer, launch: Any, tmp_path: Path) -> None:
    parameters = tmp_path / "recorder.yaml"
    parameters.write_text("/**/recorder_node: {ros__parameters: {min_free_disk_mb: 0.0}}")
    process = launch(
        "record.launch.py",
        f"folder:={tmp_path / 'bags'}",
        f"params_file:={parameters}",
        "namespace:=front",
        "image_raw:=colour/image_raw",
    )
    camera = viewer.in_namespace("front/colour")
    viewer.until(lambda: int(of_status(viewer, "messages written") or 0) > 10, play=camera)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output
    (bag,) = (tmp_path / "bags").iterdir()
    with BagFile(bag) as opened:
        assert "/front/colour/image_raw" in opened.topics


def test_the_loop_starts_with_the_tuned_model(
    viewer: Viewer, launch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was tuned before is used from the start, by every node of the loop."""
    monkeypatch.setenv("MONODEPTH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HOME", str(tmp_path))
    candidate = shutil.copytree(ROOT / "models" / "demo", tmp_path / "tuned_1")
    card = candidate / "card.yaml"
    card.write_text(card.read_text().replace("name: demo", "name: tuned_1"))
    (tmp_path / "models").mkdir()
    ModelVersions(tmp_path / "models", "tuned", "demo").adopt(candidate)
    process = launch("loop.launch.py", "device:=cpu", f"folder:={tmp_path / 'bags'}")
    models: dict[str, str] = {}

    def known() -> bool:
        for array in viewer.heard["/diagnostics"]:
            for status in array.status:
                values = {pair.key: pair.value for pair in status.values}
                name = values.get("model", values.get("model in use", values.get("recording", "")))
                models[status.name.removeprefix("camera/")] = name
        return sorted(models) == sorted(NODES) and all(models.values())

    viewer.until(known)
    assert {node: models[node] for node in NODES if node != "recorder_node"} == {
        "depth_node": "tuned_1", "odometry_node": "tuned_1", "tuner_node": "tuned_1",
    }  # fmt: skip
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output
