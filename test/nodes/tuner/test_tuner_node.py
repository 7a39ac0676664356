"""The loop on real DDS: live nodes, a recording, a tuning, better depth; and kills on the way."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

import yaml
from corridor import render, walk
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from std_srvs.srv import Trigger
from viewer import Viewer

from monodepth_ros.data.bags.recording.marked_bags import MarkedBagWriter
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

CAMERA = PinholeCamera.from_focal_length(192, 128, 120.0, 120.0, 95.5, 63.5)
VIDEO, STEP = 60, 0.03  # frames, metres from one to the next
TUNER = ("known_scenes:=none", "baseline_seconds:=1.0", "max_latency_ratio:=0.0")


@pytest.fixture
def folders(ros_environment: dict[str, str], tmp_path: Path) -> dict[str, Path]:
    """Folders of this test's bags, tunings and models, and its recipe: a minute at most."""
    ros_environment["MONODEPTH_MODELS"] = str(tmp_path / "models")
    ros_environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    write_recipe(tmp_path / "recipe.yaml", max_steps=90)
    return {name: tmp_path / name for name in ("bags", "tunings", "models", "recipe.yaml")}


def write_recipe(path: Path, **trainer: Any) -> None:
    recipe = {"extends": "finetune", "trainer": {"checkpoint_minutes": 0.02, **trainer}}
    path.write_text(yaml.safe_dump(recipe))


def start_tuner(start_node: Any, folders: dict[str, Path], *parameters: str) -> Any:
    return start_node(
        "tuner_node",
        f"bags_folder:={folders['bags']}",
        f"folder:={folders['tunings']}",
        f"recipe:={folders['recipe.yaml']}",
        *TUNER,
        *parameters,
    )


def status(viewer: Viewer) -> dict[str, str]:
    heard = viewer.heard["/tuner_node/status"]
    return json.loads(heard[-1].data) if heard else {}


def model_of(viewer: Viewer, node: str) -> str | None:
    for array in reversed(viewer.heard["/diagnostics"]):
        for told in array.status:
            if told.name == node:
                return next((v.value for v in told.values if v.key == "model"), None)
    return None


def play(viewer: Viewer, T_world_camera: NDArray[np.float64]) -> tuple[Header, Any]:
    """An image of the corridor, and the true depth of it."""
    rgb, depth = render(T_world_camera, CAMERA)
    header = viewer.play(encode_image(rgb, "rgb8", Header()), info_of_camera(CAMERA, Header()))
    return header, depth


def live_error(viewer: Viewer) -> float:
    """Median-scaled abs_rel of what depth_node publishes, on places between the recorded ones."""
    errors = []
    for index in (5, 15, 25, 35, 45):
        header, truth = play(viewer, walk(index, start=-1.2 + STEP / 2, step=STEP))
        heard = viewer.heard["depth/image_rect"]
        viewer.until(lambda heard=heard, header=header: heard and heard[-1].header == header)
        depth = np.frombuffer(heard[-1].data, np.float32).reshape(truth.shape)
        depth = depth * np.median(truth) / np.median(depth)
        errors.append(float(np.mean(np.abs(depth - truth) / truth)))
    return float(np.mean(errors))


@pytest.mark.slow
def test_drive_record_learn_and_use_it(
    viewer: Viewer, start_node: Any, folders: dict[str, Path]
) -> None:
    start_node("depth_node")
    start_node("recorder_node", f"folder:={folders['bags']}", "min_free_disk_mb:=0.0")
    start_tuner(start_node, folders)
    viewer.listen(Image, "depth/image_rect")
    viewer.listen_kept(String, "/tuner_node/status")

    def start() -> NDArray[np.float64]:
        return walk(0, start=-1.2, step=STEP)

    viewer.until(lambda: viewer.heard["depth/image_rect"], play=lambda: play(viewer, start()))
    before = live_error(viewer)
    refused = viewer.call(Trigger, "/tuner_node/tune")
    assert not refused.success and "stop the recorder" in refused.message
    for index in range(VIDEO):
        play(viewer, walk(index, start=-1.2, step=STEP))
        viewer.spin(0.05)
    assert viewer.call(Trigger, "/recorder_node/stop").success
    begun = viewer.call(Trigger, "/tuner_node/tune")
    assert begun.success and "trains on 1 bags" in begun.message
    assert not viewer.call(Trigger, "/tuner_node/tune").success  # one at a time
    viewer.until(
        lambda: status(viewer).get("stage") in ("handed over", "kept", "failed"),
        seconds=400.0,
        play=lambda: play(viewer, start()),  # the camera goes on
    )
    assert status(viewer)["stage"] == "handed over", status(viewer)["message"]
    tuned = begun.message.split()[0]
    viewer.until(lambda: model_of(viewer, "depth_node") == tuned)
    after = live_error(viewer)
    assert after < 0.75 * before, (before, after)
    back = viewer.call(Trigger, "/tuner_node/rollback")
    assert back.success and back.message == "demo is in use again, in depth_node"
    viewer.until(lambda: model_of(viewer, "depth_node") == "demo")
    assert live_error(viewer) == pytest.approx(before, rel=0.02)
    assert not viewer.call(Trigger, "/tuner_node/rollback").success


def write_bag(folder: Path) -> None:
    path = folder / "monodepth_20260101_000000_0"
    with MarkedBagWriter(path, "/recorder_node", "monodepth") as bag:
        for index in range(VIDEO):
            stamp = 1_000_000_000 + index * 50_000_000
            header = Header(frame_id="camera")
            header.stamp.sec, header.stamp.nanosec = divmod(stamp, 1_000_000_000)
            rgb, _ = render(walk(index, start=-1.2, step=STEP), CAMERA)
            for topic, kind, message in (
                ("/camera_info", "sensor_msgs/msg/CameraInfo", info_of_camera(CAMERA, header)),
                ("/image_raw", "sensor_msgs/msg/Image", encode_image(rgb, "rgb8", header)),
            ):
                bag.write(topic, kind, stamp, serialize_message(message))


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@pytest.mark.slow
def test_a_killed_tuner_takes_its_training_along_and_goes_on_later(
    viewer: Viewer, start_node: Any, folders: dict[str, Path]
) -> None:
    """Few steps: however little they gain is enough."""
    write_bag(folders["bags"])
    write_recipe(folders["recipe.yaml"], max_steps=30, batch_size=3)
    viewer.listen_kept(String, "/tuner_node/status")
    tuner = start_tuner(start_node, folders, "min_gain:=0.0")
    viewer.until(lambda: status(viewer).get("message") == "waiting for ~/tune")
    assert viewer.call(Trigger, "/tuner_node/tune").success
    viewer.until(lambda: status(viewer).get("message", "").startswith("tuning: "), seconds=60)
    viewer.until(lambda: any((folders["tunings"]).glob("*/run/checkpoints/last.ckpt")), seconds=200)
    (training,) = children(tuner.pid)
    assert os.sched_getscheduler(training) == os.SCHED_IDLE
    tuner.send_signal(signal.SIGKILL)
    tuner.wait()
    end = time.monotonic() + 5.0
    while Path(f"/proc/{training}").exists():
        state = Path(f"/proc/{training}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # dead; whoever inherits it has not asked yet
            break
        assert time.monotonic() < end, "the training has outlived its tuner"
        time.sleep(0.05)
    viewer.heard["/tuner_node/status"].clear()
    start_tuner(start_node, folders, "min_gain:=0.0", "hand_over:=false")
    viewer.until(lambda: status(viewer).get("stage") in ("better", "kept", "failed"), seconds=400.0)
    assert status(viewer)["stage"] == "better", status(viewer)["message"]
    (job,) = folders["tunings"].iterdir()
    sessions = sorted((job / "run" / "sessions").iterdir())
    assert len(sessions) == 2 and sessions[-1].name > "from_step_0000000.json"  # it went on


def test_what_cannot_be_used_is_told(
    viewer: Viewer, start_node: Any, folders: dict[str, Path]
) -> None:
    viewer.listen(DiagnosticArray, "/diagnostics")
    start_tuner(start_node, folders, "model:=nothing_of_that_name")
    viewer.until(lambda: "no model called 'nothing_of_that_name'" in viewer.said())
    refused = viewer.call(Trigger, "/tuner_node/tune")
    assert not refused.success and refused.message == "the node is not active"
