"""The depth node as a process of its own, between a camera and its viewers."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from viewer import CAMERA, RGB, Viewer

from monodepth_ros.data.bags.messages.image import decode_depth, decode_image
from monodepth_ros.geometry.projection import backproject
from monodepth_ros.inference.depth_estimator import DepthEstimator

OUTPUTS = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "depth/points": PointCloud2,
    "depth/preview": Image,
}


@pytest.fixture
def depth_node(start_node: Any) -> Any:
    """Starts the node with parameters."""
    return lambda *parameters: start_node("depth_node", *parameters)


def test_every_result_of_an_image(viewer: Viewer, depth_node: Any) -> None:
    for topic, kind in OUTPUTS.items():
        viewer.listen(kind, topic)
    depth_node("device:=cpu")
    viewer.until(lambda: results_of_one_image(viewer), play=viewer.play)
    results = results_of_one_image(viewer)
    assert {m.header.frame_id for m in results.values()} == {"camera_optical"}

    depth = decode_depth(results["depth/image_rect"])
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    np.testing.assert_allclose(depth, estimator.estimate(RGB, CAMERA).depth, rtol=1e-3)

    info = results["depth/camera_info"]
    assert (info.height, info.width) == depth.shape == estimator.size
    sx, sy = info.width / 320, info.height / 240
    scale = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])  # half pixels
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), scale @ CAMERA.K)
    np.testing.assert_allclose(np.reshape(info.p, (3, 4))[:, :3], scale @ CAMERA.K)

    cloud = results["depth/points"]
    points = np.frombuffer(cloud.data, "<f4").reshape(cloud.height, cloud.width, 4)[..., :3]
    K = torch.tensor(np.reshape(info.k, (1, 3, 3)), dtype=torch.float32)
    expected = backproject(torch.from_numpy(depth)[None, None], K)[0].permute(1, 2, 0)
    np.testing.assert_allclose(points, expected, rtol=1e-4, atol=1e-4)

    preview = results["depth/preview"]
    assert preview.encoding == "bgr8" and decode_image(preview).shape == (*depth.shape, 3)


def results_of_one_image(viewer: Viewer) -> dict[str, Any]:
    """All outputs of the first image that every one was heard of; topics connect one by one."""
    of_stamp: dict[tuple[int, int], dict[str, Any]] = {}
    for topic in OUTPUTS:
        for message in viewer.heard[topic]:
            stamp = message.header.stamp
            of_stamp.setdefault((stamp.sec, stamp.nanosec), {})[topic] = message
    return next((r for r in of_stamp.values() if len(r) == len(OUTPUTS)), {})


def test_diagnostics_come_without_listeners_and_the_network_rests(
    viewer: Viewer, depth_node: Any
) -> None:
    depth_node("device:=cpu", "diagnostics_period:=0.2")
    viewer.until(lambda: viewer.status and value(viewer, "images received") > 5, play=viewer.play)
    assert value(viewer, "output rate (Hz)") == 0
    assert value(viewer, "images failed") == 0
    assert {v.value for v in viewer.status.values if v.key == "model"} == {"demo"}


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda image, info: setattr(image, "encoding", "tri_colour"), "tri_colour"),
        (lambda image, info: setattr(image, "data", image.data[:100]), "100 bytes are too few"),
        (lambda image, info: setattr(info, "k", [0.0] * 9), "K is all zeros"),
        (lambda image, info: setattr(info, "width", 640), "of 640x240 images"),
    ],
)
def test_bad_input_is_told_and_the_next_good_image_works(
    viewer: Viewer, depth_node: Any, spoil: Any, reason: str
) -> None:
    from std_msgs.msg import Header

    from monodepth_ros.nodes.conversions.camera_info import info_of_camera
    from monodepth_ros.nodes.conversions.images import encode_image

    def play_spoilt() -> None:
        image, info = encode_image(RGB, "rgb8", Header()), info_of_camera(CAMERA, Header())
        spoil(image, info)
        viewer.play(image, info)

    viewer.listen(Image, "depth/image_rect")
    depth_node("device:=cpu", "diagnostics_period:=0.2")
    viewer.until(lambda: reason in viewer.said(), play=play_spoilt)
    assert not viewer.heard["depth/image_rect"]
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)


def test_a_model_that_is_missing_is_told_and_the_node_stays(
    viewer: Viewer, depth_node: Any
) -> None:
    process = depth_node("model:=nowhere", "diagnostics_period:=0.2")
    viewer.until(lambda: viewer.status is not None)
    viewer.until(lambda: "nowhere" in viewer.said())
    assert process.poll() is None


@pytest.mark.parametrize(
    ("parameter", "reason"),
    [
        ("modle:=demo", "unknown parameter modle"),
        ("precision:=int3", "'int3' is not one of auto, fp32"),
    ],
)
def test_a_wrong_parameter_ends_it_with_one_line(
    depth_node: Any, parameter: str, reason: str
) -> None:
    process = depth_node(parameter)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert reason in output and "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(viewer: Viewer, depth_node: Any, number: int) -> None:
    viewer.listen(Image, "depth/image_rect")
    process = depth_node("device:=cpu")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    process.send_signal(number)
    # A second on a machine that does nothing else; this one may be busy.
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in output and "rror" not in output


def value(viewer: Viewer, key: str) -> float:
    assert viewer.status is not None
    return float(next(v.value for v in viewer.status.values if v.key == key))
