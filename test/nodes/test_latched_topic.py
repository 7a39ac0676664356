"""camera_info reaches the nodes, whatever its publisher offers and whenever it comes."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64, Header
from viewer import CAMERA, RGB, Viewer

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

LATCHED, VOLATILE = DurabilityPolicy.TRANSIENT_LOCAL, DurabilityPolicy.VOLATILE
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def publisher(viewer: Viewer, kind: type, topic: str, durability: Any, reliability: Any) -> Any:
    qos = QoSProfile(depth=1, durability=durability, reliability=reliability)
    return viewer.node.create_publisher(kind, topic, qos)


def image(viewer: Viewer) -> None:
    stamp = viewer.node.get_clock().now().to_msg()
    viewer.send_image(encode_image(RGB, "rgb8", Header(frame_id="camera", stamp=stamp)))


@pytest.mark.parametrize("before", [True, False])
def test_a_camera_info_that_is_sent_once_and_latched(
    viewer: Viewer, start_node: Any, capfd: pytest.CaptureFixture[str], before: bool
) -> None:
    """Before the node starts, and by a driver that comes later."""
    viewer.node.destroy_publisher(viewer._infos)
    viewer.listen(Image, "depth/image_rect")
    latched: list[Any] = []

    def send_once() -> None:
        latched.append(publisher(viewer, CameraInfo, "camera_info", LATCHED, RELIABLE))
        latched[0].publish(info_of_camera(CAMERA, Header(frame_id="camera")))

    if before:
        send_once()
    process = start_node("depth_node", "device:=cpu", "diagnostics_period:=0.2")
    if not before:
        viewer.until(lambda: "no camera_info" in viewer.said(), play=lambda: image(viewer))
        send_once()
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=lambda: image(viewer))
    process.terminate()
    assert "incompatible QoS" not in process.communicate(timeout=20)[0] + capfd.readouterr().err


def test_a_driver_that_is_not_latched_is_not_warned(
    viewer: Viewer, start_node: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    viewer.listen(Image, "depth/image_rect")
    process = start_node("depth_node", "device:=cpu")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    process.terminate()
    assert "incompatible QoS" not in process.communicate(timeout=20)[0] + capfd.readouterr().err


def test_a_driver_that_comes_back_with_another_qos(viewer: Viewer, start_node: Any) -> None:
    """The newest camera_info counts, of whatever publisher."""
    viewer.listen(CameraInfo, "depth/camera_info")
    viewer.node.destroy_publisher(viewer._infos)
    start_node("depth_node", "device:=cpu", "output_size:=image")
    for k, (durability, reliability) in enumerate(
        [(LATCHED, RELIABLE), (VOLATILE, BEST_EFFORT), (VOLATILE, RELIABLE), (LATCHED, RELIABLE)]
    ):
        camera = CAMERA.from_focal_length(320, 240, 200.0 + k, 200.0, 160.0, 120.0)
        infos = publisher(viewer, CameraInfo, "camera_info", durability, reliability)

        def play(infos: Any = infos, camera: Any = camera) -> None:
            infos.publish(info_of_camera(camera, Header(frame_id="camera")))
            image(viewer)

        def taken(focal_length: float = 200.0 + k) -> bool:
            heard = viewer.heard["depth/camera_info"]
            return bool(heard) and heard[-1].k[0] == focal_length

        viewer.until(taken, play=play)
        viewer.node.destroy_publisher(infos)


def test_a_latched_driver_beside_one_that_is_not(viewer: Viewer, start_node: Any) -> None:
    """Both are heard, and no line in the node's log says that one is not."""
    viewer.listen(CameraInfo, "depth/camera_info")
    viewer.node.destroy_publisher(viewer._infos)
    process = start_node("depth_node", "device:=cpu", "output_size:=image")
    for focal_length, durability, reliability in [
        (200.0, LATCHED, RELIABLE),
        (300.0, VOLATILE, BEST_EFFORT),
    ]:
        camera = CAMERA.from_focal_length(320, 240, focal_length, 200.0, 160.0, 120.0)
        infos = publisher(viewer, CameraInfo, "camera_info", durability, reliability)

        def play(infos: Any = infos, camera: Any = camera) -> None:
            infos.publish(info_of_camera(camera, Header(frame_id="camera")))
            image(viewer)

        def taken(focal_length: float = focal_length) -> bool:
            heard = viewer.heard["depth/camera_info"]
            return bool(heard) and heard[-1].k[0] == focal_length

        viewer.until(taken, play=play)
    process.terminate()
    assert "incompatible QoS" not in process.communicate(timeout=20)[0]


@pytest.mark.parametrize("durability", [LATCHED, VOLATILE])
def test_a_factor_of_any_publisher_is_followed(
    viewer: Viewer, start_node: Any, durability: Any
) -> None:
    viewer.listen(Image, "depth/image_rect")
    factors = publisher(viewer, Float64, "scale", durability, RELIABLE)
    if durability == LATCHED:
        factors.publish(Float64(data=2.0))
    start_node("depth_node", "device:=cpu", "scale_source:=topic")

    def play() -> None:
        if durability == VOLATILE:
            factors.publish(Float64(data=2.0))
        viewer.play()

    viewer.until(lambda: viewer.heard["depth/image_rect"], play=play)
    expected = DepthEstimator("demo", "cpu", output_size="network").estimate(RGB, CAMERA).depth
    depth = decode_depth(viewer.heard["depth/image_rect"][-1])
    assert depth[40, 40] == pytest.approx(2 * expected[40, 40], rel=1e-3)
