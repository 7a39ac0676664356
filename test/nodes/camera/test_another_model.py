"""Another model in mid-stream: odom does not jump, and no measure of one model enters another."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from drive import ALONE, SECOND, Drive, play_and_hear
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header, String
from std_srvs.srv import Trigger
from viewer import CAMERA, RGB, Viewer, of_status

from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.nodes.camera.camera_stream import CameraStream
from monodepth_ros.nodes.camera.depth_node import DepthNode
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
from monodepth_ros.nodes.reporting_node import SUCCESS
from monodepth_ros.zoo.card import load_card

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture
def renamed(tmp_path: Path) -> Path:
    """The bundled model under another name."""
    folder = shutil.copytree(MODELS / "demo", tmp_path / "tuned")
    card = folder / "card.yaml"
    card.write_text(card.read_text().replace("name: demo", "name: tuned"))
    return folder


def reload(viewer: Viewer, node: str, model: Path) -> Any:
    wanted = Parameter("model", value=str(model)).to_parameter_msg()
    request = SetParameters.Request(parameters=[wanted])
    assert viewer.call(SetParameters, f"{node}/set_parameters", request).results[0].successful
    return viewer.call(Trigger, f"{node}/reload")


def position(message: Odometry) -> Any:
    point = message.pose.pose.position
    return np.array([point.x, point.y, point.z])


def test_odometry_goes_on_from_its_pose(viewer: Viewer, start_node: Any, renamed: Path) -> None:
    """With the same weights and size of input nothing is missed: all is as without a reload."""
    for kind, topic in ((Odometry, "odom"), (PathMessage, "path")):
        viewer.listen(kind, topic)
    start_node("odometry_node", *ALONE)
    drive = Drive(viewer)
    viewer.until(lambda: viewer.heard["odom"], play=drive.begin)
    heard = [viewer.heard["odom"][0]] + [play_and_hear(viewer, drive) for _ in range(3)]
    assert reload(viewer, "odometry_node", renamed).success
    viewer.until(lambda: of_status(viewer, "model") == "tuned")
    heard += [play_and_hear(viewer, drive) for _ in range(3)]
    tracker = CameraTracker(load_method("network", "demo", "cpu"))
    T_base_camera = base_from_camera(np.zeros(3), np.zeros(3))
    for k, message in enumerate(heard):
        tracked = tracker.add(drive.images[k], CAMERA, k * SECOND // 10)
        assert tracked is not None
        expected = T_base_camera @ tracked.T_world_camera @ np.linalg.inv(T_base_camera)
        np.testing.assert_allclose(position(message), expected[:3, 3], atol=1e-4)
        np.testing.assert_allclose(
            message.pose.covariance[0::7][:3].sum(), np.trace(tracked.covariance[:3, :3]), rtol=1e-3
        )
    viewer.until(lambda: len(viewer.heard["path"][-1].poses) > len(heard), play=drive.play)


def test_metres_that_a_new_model_does_not_have_yet(
    viewer: Viewer, start_node: Any, renamed: Path
) -> None:
    """odom waits, does not jump, and its covariance holds what was missed."""
    viewer.listen(Odometry, "odom")
    factors = viewer.node.create_publisher(Float64, "scale", 1)
    start_node("odometry_node", *ALONE, "scale_source:=topic")
    drive = Drive(viewer)

    def play_with_factor() -> None:
        factors.publish(Float64(data=2.0))
        drive.play()

    viewer.until(lambda: len(viewer.heard["odom"]) > 3, play=play_with_factor)
    viewer.spin(0.5)
    assert reload(viewer, "odometry_node", renamed).success
    before = viewer.heard["odom"][-1]
    count = len(viewer.heard["odom"])
    waits = "nothing is published: the scale is not known yet (topic)"
    viewer.until(lambda: waits in viewer.said(), play=drive.play)
    for _ in range(5):
        drive.play()
        viewer.spin(0.1)
    assert len(viewer.heard["odom"]) == count
    viewer.until(lambda: len(viewer.heard["odom"]) > count, play=play_with_factor)
    after = viewer.heard["odom"][count]
    assert np.linalg.norm(position(after) - position(before)) < 0.5  # a step, not the way back
    assert np.linalg.norm(position(before)) > 0
    assert after.pose.covariance[0] > before.pose.covariance[0] + (2.0 * 0.5) ** 2


def test_a_factor_of_another_nodes_model(viewer: Viewer, start_node: Any, renamed: Path) -> None:
    """Whichever of the two nodes is reloaded first, no factor meets another model's depth."""
    viewer.listen(Image, "depth/image_rect")
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    factors = viewer.node.create_publisher(Float64, "scale", qos)
    models = viewer.node.create_publisher(String, "scale_model", qos)
    digest = next(iter(load_card(MODELS / "demo").files.values()))[:12]

    def estimate(model: str, factor: float | None) -> None:
        models.publish(String(data=f"{model} ({digest})"))
        if factor is not None:
            factors.publish(Float64(data=factor))

    estimate("demo", 2.0)
    start_node("depth_node", "device:=cpu", "diagnostics_period:=0.2", "scale_source:=topic")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    assert reload(viewer, "depth_node", renamed).success
    other = f"the factor on /scale belongs to the model demo ({digest}), not to tuned ({digest})"
    viewer.until(lambda: other in viewer.said(), play=viewer.play)
    estimate("tuned", None)
    viewer.until(lambda: "no message on /scale" in viewer.said(), play=viewer.play)
    estimate("tuned", 3.0)
    viewer.until(lambda: of_status(viewer, "scale factor") == "3", play=viewer.play)
    estimate("demo", None)  # the other node went back
    viewer.until(lambda: "belongs to the model demo" in viewer.said(), play=viewer.play)
    estimate("demo", 2.0)
    assert reload(viewer, "depth_node", MODELS / "demo").success
    viewer.until(lambda: of_status(viewer, "scale factor") == "2", play=viewer.play)


@pytest.mark.parametrize("node", ["depth_node", "odometry_node"])
def test_a_fixed_factor_is_of_its_model(
    viewer: Viewer, start_node: Any, renamed: Path, node: str
) -> None:
    mounting = ["mounting:=parameters"] if node == "odometry_node" else []
    start_node(node, "device:=cpu", "scale_source:=fixed", "scale_factor:=2.0", *mounting)
    viewer.until(lambda: of_status(viewer, "model") == "demo")
    answer = reload(viewer, node, renamed)
    assert not answer.success
    assert "scale_factor belongs to the model demo (" in answer.message
    assert "not to tuned (" in answer.message
    assert reload(viewer, node, MODELS / "demo").success  # the same weights again


def test_a_frame_under_way_stays_with_its_model(
    viewer: Viewer, renamed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is replaced while the depth of an image is estimated."""
    given = {
        "autostart": False, "device": "cpu", "scale_source": "camera_height", "camera_height": 1.0,
    }  # fmt: skip
    node = DepthNode(parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    assert node.trigger_configure() == SUCCESS and node.trigger_activate() == SUCCESS
    former = node.active_model
    assert former is not None
    node.set_parameters([Parameter("model", value=str(renamed))])
    found = node._load_requested_model()
    estimator = former.loaded.estimator
    estimate = estimator.estimate_batch

    def replaced_meanwhile(*arguments: Any) -> Any:
        assert node._switch_model(found) == f"model {renamed} is in use"
        return estimate(*arguments)

    monkeypatch.setattr(estimator, "estimate_batch", replaced_meanwhile)
    (stream,) = node.streams
    stream.infos.add(info_of_camera(CAMERA, Header(frame_id="camera")))
    assert node._worker is not None

    def work_at_once(stream: CameraStream, image: Any) -> None:
        if node.active_model is former:
            node._work_on({stream: image})

    monkeypatch.setattr(node._worker, "offer", work_at_once)
    for k in range(50):  # images may wait for those that follow, whose stamps prove theirs right
        header = Header(frame_id="camera")
        header.stamp.sec, header.stamp.nanosec = divmod(1000 * SECOND + k * SECOND // 10, SECOND)
        node._on_image(stream, encode_image(RGB, "rgb8", header))
        if node.active_model is not former:
            break
    assert node.active_model is not None and node.active_model.loaded is found[1]
    scales = [model.scales[stream] for model in (former, node.active_model)]
    assert [scale._height._images for scale in scales] == [1, 0]
    executor.shutdown()
    node.destroy_node()
