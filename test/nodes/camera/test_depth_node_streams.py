"""What cameras do to the depth node: rates, sizes, transports; and what its users do."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from viewer import CAMERA, RGB, Viewer, of_status

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.scale.ground_plane import ground_height
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image, filled

MODELS = Path(__file__).resolve().parents[3] / "models"


@pytest.fixture
def depth_node(start_node: Any) -> Any:
    """Starts the node on the CPU, with diagnostics that do not keep a test waiting."""
    return lambda *parameters: start_node(
        "depth_node", "device:=cpu", "diagnostics_period:=0.2", *parameters
    )


def newest_of(viewer: Viewer, topic: str, header: Header) -> bool:
    return any(message.header.stamp == header.stamp for message in viewer.heard[topic])


def test_compressed_images(viewer: Viewer, depth_node: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    publisher = viewer.node.create_publisher(
        CompressedImage, "image_raw/compressed", qos_profile_sensor_data
    )
    png = cv2.imencode(".png", RGB[:, :, ::-1])[1]

    def play() -> None:
        header = Header(frame_id="camera_optical", stamp=viewer.node.get_clock().now().to_msg())
        viewer.send_info(info_of_camera(CAMERA, header))
        publisher.publish(CompressedImage(header=header, format="png", data=filled(png)))

    depth_node("image_transport:=compressed", "output_size:=image")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=play)
    depth = decode_depth(viewer.heard["depth/image_rect"][-1])
    expected = DepthEstimator("demo", "cpu").estimate(RGB, CAMERA).depth
    np.testing.assert_allclose(depth, expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("topic", "parameters", "focal_length"),
    [
        ("image_rect_color", (), 300.0),
        ("image_rect_color", ("rectified:=false",), 260.0),
        ("camera_image", ("rectified:=true",), 300.0),
    ],
)
def test_the_camera_of_rectified_images_is_P(
    viewer: Viewer, start_node: Any, topic: str, parameters: tuple[str, ...], focal_length: float
) -> None:
    """K and the distortion describe the image before it was rectified."""
    viewer.listen(CameraInfo, "depth/camera_info")
    start_node(
        "depth_node",
        *("device:=cpu", "output_size:=image", *parameters),
        arguments=["-r", f"image_raw:={topic}"],
    )
    images = viewer.node.create_publisher(Image, topic, qos_profile_sensor_data)

    def play() -> None:
        header = Header(frame_id="camera_optical", stamp=viewer.node.get_clock().now().to_msg())
        info = info_of_camera(CAMERA, header)
        info.d = [0.1, -0.2, 0.0, 0.0, 0.0]
        info.p[0], info.p[5], info.p[2] = 300.0, 301.0, 155.0
        viewer.send_info(info)
        images.publish(encode_image(RGB, "rgb8", header))

    viewer.until(lambda: viewer.heard["depth/camera_info"], play=play)
    assert viewer.heard["depth/camera_info"][-1].k[0] == pytest.approx(focal_length)


def test_depth_of_sixteen_bits_is_that_of_eight(viewer: Viewer, depth_node: Any) -> None:
    """A sensor of 12 bits: its images are scaled by the bits in use, which the log says."""
    viewer.listen(Image, "depth/image_rect")
    depth_node("output_size:=image")
    grey = RGB[:, :, 0].copy()
    grey[0, 0] = 255

    def play() -> None:
        header = Header(frame_id="camera_optical", stamp=viewer.node.get_clock().now().to_msg())
        wide = encode_image(RGB, "rgb8", header)
        wide.encoding, wide.step = "mono16", 2 * wide.width
        wide.data = filled(grey.astype("<u2") << 4)
        viewer.send(wide, info_of_camera(CAMERA, header))

    viewer.until(lambda: viewer.heard["depth/image_rect"], play=play)
    depth = decode_depth(viewer.heard["depth/image_rect"][-1])
    expected = DepthEstimator("demo", "cpu").estimate(np.dstack([grey] * 3), CAMERA).depth
    np.testing.assert_allclose(depth, expected, rtol=1e-3)


def test_a_camera_info_of_zeros_and_then_a_good_one(viewer: Viewer, depth_node: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    depth_node()
    unfilled = CameraInfo(width=CAMERA.width, height=CAMERA.height)
    viewer.until(lambda: "K is all zeros" in viewer.said(), play=lambda: viewer.play(info=unfilled))
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)


def test_a_camera_info_that_comes_late(viewer: Viewer, depth_node: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    depth_node()

    def play_without_info() -> None:
        header = Header(frame_id="camera_optical", stamp=viewer.node.get_clock().now().to_msg())
        viewer.send_image(encode_image(RGB, "rgb8", header))

    viewer.until(lambda: "no camera_info received yet" in viewer.said(), play=play_without_info)
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)


def test_another_resolution_in_mid_stream(viewer: Viewer, depth_node: Any) -> None:
    for topic, kind in (("depth/image_rect", Image), ("depth/camera_info", CameraInfo)):
        viewer.listen(kind, topic)
    depth_node("output_size:=image")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    larger = CAMERA.resized(480, 640)
    image = np.asarray(cv2.resize(RGB, (640, 480)))

    def play_larger() -> None:
        viewer.play(encode_image(image, "rgb8", Header()), info_of_camera(larger, Header()))

    viewer.until(lambda: viewer.heard["depth/image_rect"][-1].width == 640, play=play_larger)
    viewer.until(lambda: viewer.heard["depth/camera_info"][-1].width == 640, play=play_larger)
    info = viewer.heard["depth/camera_info"][-1]
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), larger.K, rtol=1e-9)


@pytest.mark.alone
def test_a_flood_of_images_is_dropped_and_delays_nothing(viewer: Viewer, depth_node: Any) -> None:
    """200 Hz; the node works on the newest, and what it publishes does not grow old."""
    viewer.listen(Image, "depth/image_rect")
    depth_node("output_size:=image")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    ages: list[float] = []
    end = time.monotonic() + 6.0
    while time.monotonic() < end:
        viewer.play()
        before = len(viewer.heard["depth/image_rect"])
        viewer.spin(0.004)
        now = viewer.node.get_clock().now().nanoseconds
        for message in viewer.heard["depth/image_rect"][before:]:
            stamp = message.header.stamp
            ages.append((now - stamp.sec * 10**9 - stamp.nanosec) * 1e-9)
    viewer.until(lambda: int(of_status(viewer, "images dropped") or 0) > 50)
    halves = np.array_split(np.array(ages), 2)
    assert len(ages) > 10
    assert np.median(halves[1]) < 1.5 * np.median(halves[0]) + 0.05
    assert np.median(ages) < 0.5


def test_two_cameras_in_one_graph(viewer: Viewer, start_node: Any) -> None:
    for namespace in ("left", "right"):
        viewer.listen(Image, f"{namespace}/depth/image_rect")
        start_node("depth_node", "device:=cpu", arguments=["-r", f"__ns:=/{namespace}"])
    left, right = viewer.in_namespace("left"), viewer.in_namespace("right")

    def play() -> None:
        left()
        right()

    topics = ("left/depth/image_rect", "right/depth/image_rect")
    viewer.until(lambda: all(viewer.heard[topic] for topic in topics), play=play)
    for namespace in ("left", "right"):
        heard = viewer.heard[f"{namespace}/depth/image_rect"]
        assert {m.header.frame_id for m in heard} == {f"{namespace}_optical"}


def test_confidence_is_published_when_listened_to(viewer: Viewer, depth_node: Any) -> None:
    viewer.listen(Image, "depth/confidence")
    depth_node()
    viewer.until(lambda: viewer.heard["depth/confidence"], play=viewer.play)
    confidence = np.nan_to_num(decode_depth(viewer.heard["depth/confidence"][-1]))
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    expected = estimator.estimate(RGB, CAMERA, with_confidence=True).confidence
    np.testing.assert_allclose(confidence, expected, rtol=1e-3, atol=1e-4)


def test_live_parameters_take_effect_or_are_refused(viewer: Viewer, depth_node: Any) -> None:
    viewer.listen(PointCloud2, "depth/points")
    depth_node()
    viewer.until(lambda: viewer.heard["depth/points"], play=viewer.play)
    width = viewer.heard["depth/points"][-1].width

    def set_to(name: str, value: Any) -> Any:
        parameter = Parameter(name, value=value).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        return viewer.call(SetParameters, "depth_node/set_parameters", request).results[0]

    assert set_to("points_stride", 4).successful
    viewer.until(lambda: viewer.heard["depth/points"][-1].width == width // 4, play=viewer.play)
    assert not set_to("points_stride", 0).successful
    refused = set_to("depth_encoding", "64FC1")
    assert not refused.successful and "64FC1" in refused.reason
    assert not set_to("device", "cuda").successful


def test_reload_takes_a_new_model_up_and_keeps_the_old_one_else(
    viewer: Viewer, depth_node: Any, tmp_path: Path
) -> None:
    good, broken = tmp_path / "good", tmp_path / "broken"
    for folder in (good, broken):
        shutil.copytree(MODELS / "demo", folder)
    card = good / "card.yaml"
    card.write_text(card.read_text().replace("name: demo", "name: tuned"))
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    viewer.listen(Image, "depth/image_rect")
    depth_node()
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)

    def reload(model: Path) -> Any:
        parameter = Parameter("model", value=str(model)).to_parameter_msg()
        request = SetParameters.Request(parameters=[parameter])
        results = viewer.call(SetParameters, "depth_node/set_parameters", request).results
        assert results[0].successful
        return viewer.call(Trigger, "depth_node/reload")

    answer = reload(broken)
    assert not answer.success and "weights.safetensors" in answer.message
    viewer.until(lambda: of_status(viewer, "model") == "demo")
    assert reload(good).success
    viewer.until(lambda: of_status(viewer, "model") == "tuned")
    header = viewer.play()
    viewer.until(lambda: newest_of(viewer, "depth/image_rect", header), 20.0)


def test_a_lifecycle_manager_may_take_it_through_all_states_again(
    viewer: Viewer, depth_node: Any
) -> None:
    viewer.listen(Image, "depth/image_rect")
    depth_node()
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = viewer.call(ChangeState, "depth_node/change_state", request)
        return bool(answer.success)

    for transition in (
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_ACTIVATE,
        Transition.TRANSITION_DEACTIVATE,
        Transition.TRANSITION_CLEANUP,
    ):
        assert change(transition)
    answer = viewer.call(Trigger, "depth_node/reload")
    assert not answer.success and "not configured" in answer.message
    assert change(Transition.TRANSITION_CONFIGURE)
    assert change(Transition.TRANSITION_ACTIVATE)
    count = len(viewer.heard["depth/image_rect"])
    viewer.until(lambda: len(viewer.heard["depth/image_rect"]) > count, play=viewer.play)


def test_a_truncated_model_is_told_and_the_node_stays(
    viewer: Viewer, depth_node: Any, tmp_path: Path
) -> None:
    shutil.copytree(MODELS / "demo", tmp_path / "broken")
    weights = tmp_path / "broken" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    process = depth_node(f"model:={tmp_path / 'broken'}")
    viewer.until(lambda: "weights.safetensors" in viewer.said())
    assert process.poll() is None


def test_metres_from_the_cameras_height(viewer: Viewer, depth_node: Any) -> None:
    """A street as the bundled model has learnt it; its ground is known to be 1.5 m below."""
    street = cv2.cvtColor(
        cv2.imread(str(MODELS / "demo" / "samples" / "street.jpg")), cv2.COLOR_BGR2RGB
    )
    camera = PinholeCamera.from_focal_length(
        street.shape[1], street.shape[0], 150.0, 150.0, street.shape[1] / 2, street.shape[0] / 2
    )
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    seen = estimator.estimate(street, camera)
    height = ground_height(seen.depth, camera.resized(*seen.depth.shape))
    assert height is not None
    viewer.listen(Image, "depth/image_rect")
    depth_node("scale_source:=camera_height", "camera_height:=1.5")
    viewer.until(
        lambda: viewer.heard["depth/image_rect"],
        play=lambda: viewer.play(
            encode_image(street, "rgb8", Header()), info_of_camera(camera, Header())
        ),
    )
    depth = decode_depth(viewer.heard["depth/image_rect"][-1])
    np.testing.assert_allclose(depth, seen.depth * 1.5 / height, rtol=1e-3)
    viewer.until(lambda: of_status(viewer, "scale") == "metric")
