"""The odometry node with each method of motion, on DDS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from drive import ANY_METHOD, SECOND, Drive, play_and_hear, stamp_of
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from viewer import Viewer, of_status

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import METHODS, load_method, method_class
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights, save_model

(WALK,) = open_sequence(str(share_directory() / "models/demo/sample_walk"))
STAND = 6  # images after which the camera stands for one


class Walk(Drive):
    """Plays the walk that comes with the package, every other image, stamped at 10 Hz."""

    def play(self, image: Any = None, step: float = 0.1) -> None:
        number = len(self.images) - (len(self.images) > STAND)
        super().play(WALK.image(2 * number) if image is None else image, step)

    def resend(self) -> None:
        header = Header(frame_id=self.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(self.now, SECOND)
        image = encode_image(self.images[-1], "rgb8", header)
        self.viewer.send(image, info_of_camera(WALK.camera, header))


def start(viewer: Viewer, start_node: Any, *parameters: str) -> tuple[Walk, Any]:
    viewer.listen(Odometry, "odom")
    child = start_node("odometry_node", *ANY_METHOD, *parameters)
    walk = Walk(viewer)
    viewer.until(lambda: viewer.heard["odom"], play=walk.begin)
    return walk, child


@pytest.fixture(scope="module")
def depth_only(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The bundled model without its pose network."""
    demo, folder = share_directory() / "models/demo", tmp_path_factory.mktemp("models") / "deep"
    card = load_card(demo)
    save_model(folder, card, {"depth": load_weights(demo, card)["depth"]})
    return str(folder)


def track_as_the_node(method: str, model: str, images: list[Any]) -> list[Any]:
    """What a tracker says of the images; positions of a robot whose camera is at its base."""
    tracker = CameraTracker(load_method(method, model, "cpu"))
    tracked = []
    for k, image in enumerate(images):
        tracked.append(tracker.add(image, WALK.camera, k * SECOND // 10))
    assert None not in tracked
    return tracked


@pytest.mark.parametrize("method", METHODS)
def test_the_node_says_what_its_tracker_says(viewer: Viewer, start_node: Any, method: str) -> None:
    walk, _ = start(viewer, start_node, f"method:={method}")
    heard = [viewer.heard["odom"][0]] + [play_and_hear(viewer, walk) for _ in range(STAND - 1)]
    heard.append(play_and_hear(viewer, walk, image=walk.images[-1]))
    heard += [play_and_hear(viewer, walk) for _ in range(2)]
    tracked = track_as_the_node(method, "demo", walk.images)
    T_base_camera = base_from_camera(np.zeros(3), np.zeros(3))
    for pose, message in zip(tracked, heard, strict=True):
        position = message.pose.pose.position
        expected = T_base_camera @ pose.T_world_camera[:, 3]
        np.testing.assert_allclose([position.x, position.y, position.z], expected[:3], atol=1e-3)
        variance = np.trace(pose.covariance[:3, :3])
        found = sum(message.pose.covariance[k] for k in (0, 7, 14))
        np.testing.assert_allclose(found, variance, rtol=2e-2, atol=1e-9)
        assert np.isfinite(message.twist.covariance).all()
    assert [pose.event for pose in tracked[STAND - 1 : STAND + 2]] == [
        "motion", "standstill", "motion",
    ]  # fmt: skip
    viewer.until(lambda: of_status(viewer, "frames: motion") == str(len(heard) - 2))
    assert of_status(viewer, "method") == method
    assert of_status(viewer, "method of the last motion") == tracked[-1].motion.method
    counted = [of_status(viewer, f"motions: {name}") for name in METHODS]
    assert sum(int(count) for count in counted if count) == len(heard) - 2


@pytest.mark.parametrize("method", METHODS)
def test_a_model_without_a_pose_network(
    viewer: Viewer, start_node: Any, depth_only: str, method: str
) -> None:
    """Methods that need none go on; the others say what is missing and what to do."""
    if "pose" in method_class(method).networks and method != "auto":
        child = start_node(
            "odometry_node", *ANY_METHOD, f"method:={method}", f"model:={depth_only}"
        )
        viewer.until(lambda: "no pose network" in viewer.said())
        others = [m for m in METHODS if m == "auto" or "pose" not in method_class(m).networks]
        if others:
            assert f"use method {' or '.join(others)}" in viewer.said()
        assert child.poll() is None
        return
    walk, _ = start(viewer, start_node, f"method:={method}", f"model:={depth_only}")
    for _ in range(4):
        last = play_and_hear(viewer, walk)
    assert stamp_of(last) == walk.now
    assert last.pose.covariance[0] > 0
    tracked = track_as_the_node(method, depth_only, walk.images)
    moved = tracked[-1].T_world_camera[:3, 3]
    np.testing.assert_allclose(last.pose.pose.position.x, moved[2], atol=1e-3)
    first, now = WALK.pose(0), WALK.pose(2 * (len(walk.images) - 1))
    assert first is not None and now is not None
    true = (np.linalg.inv(first) @ now)[:3, 3]
    assert moved @ true > 0.95 * np.linalg.norm(moved) * np.linalg.norm(true)


def test_the_former_parameter_is_understood_and_told(viewer: Viewer, start_node: Any) -> None:
    walk, child = start(viewer, start_node, "refine:=true")
    play_and_hear(viewer, walk)
    viewer.until(lambda: of_status(viewer, "motions: refined") == "1")
    assert of_status(viewer, "method") == "refined"
    child.terminate()
    said, _ = child.communicate(timeout=30.0)
    assert said.count("parameter refine: write method: refined instead") == 1


def test_geometry_goes_on_after_another_model_was_loaded(
    viewer: Viewer, start_node: Any, depth_only: str
) -> None:
    """Its landmarks are of the former model's depth: they are made anew, and odom does not jump."""
    walk, _ = start(viewer, start_node, "method:=geometry")
    heard = [play_and_hear(viewer, walk) for _ in range(3)]
    wanted = Parameter("model", value=depth_only).to_parameter_msg()
    request = SetParameters.Request(parameters=[wanted])
    answer = viewer.call(SetParameters, "odometry_node/set_parameters", request)
    assert answer.results[0].successful
    assert viewer.call(Trigger, "odometry_node/reload").success
    heard += [play_and_hear(viewer, walk) for _ in range(3)]
    points = [message.pose.pose.position for message in heard]
    steps = np.linalg.norm(np.diff([[p.x, p.y, p.z] for p in points], axis=0), axis=1)
    assert steps.max() < 2 * np.median(steps) and steps.min() > 0
    viewer.until(lambda: of_status(viewer, "frames: motion") == str(len(heard)))
    assert of_status(viewer, "frames: gap") is None and of_status(viewer, "restarts") == "0"
    assert of_status(viewer, "motions: geometry") == str(len(heard))
