"""Confidence and standard deviation on their topics, in clouds, and what they leave out; on DDS."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from viewer import CAMERA, Viewer, of_status

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.nodes.conversions.images import encode_image
from monodepth_ros.share_directory import share_directory

DEMO = share_directory() / "models" / "demo"


@pytest.fixture
def scene() -> Any:
    """A frame of the walk that comes with the model, of the camera's size."""
    (walk,) = open_sequence(DEMO / "sample_walk")
    return cv2.resize(walk.image(40), (CAMERA.width, CAMERA.height))


@pytest.fixture
def expected(scene: Any) -> DepthPrediction:
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    return estimator.estimate(scene, CAMERA, with_confidence=True)


@pytest.fixture
def play(viewer: Viewer, scene: Any) -> Any:
    return lambda: viewer.play(encode_image(scene, "rgb8", Header()))


@pytest.fixture
def depth_node(start_node: Any) -> Any:
    return lambda *parameters: start_node(
        "depth_node", "device:=cpu", "diagnostics_period:=0.2", *parameters
    )


def newest(viewer: Viewer, topic: str) -> Any:
    return decode_depth(viewer.heard[topic][-1])


def test_both_are_those_of_the_estimator(
    viewer: Viewer, depth_node: Any, play: Any, expected: DepthPrediction
) -> None:
    topics = ("depth/confidence", "depth/stddev", "depth/image_rect")
    for topic in topics:
        viewer.listen(Image, topic)
    depth_node("scale_source:=fixed", "scale_factor:=2.0")
    viewer.until(lambda: all(viewer.heard[topic] for topic in topics), play=play)
    assert {viewer.heard[topic][-1].encoding for topic in topics} == {"32FC1"}
    confidence = np.nan_to_num(newest(viewer, "depth/confidence"))
    np.testing.assert_allclose(confidence, expected.confidence, rtol=1e-3, atol=1e-4)
    assert confidence.max() > 0.5
    metric = expected.in_metres(2.0)
    np.testing.assert_allclose(newest(viewer, "depth/stddev"), metric.stddev, rtol=2e-3)
    np.testing.assert_allclose(newest(viewer, "depth/image_rect"), metric.depth, rtol=1e-3)


def test_low_confidence_is_left_out_and_counted(
    viewer: Viewer, depth_node: Any, play: Any, expected: DepthPrediction
) -> None:
    viewer.listen(Image, "depth/image_rect")
    viewer.listen(PointCloud2, "depth/points")
    assert expected.confidence is not None
    limit = float(np.quantile(expected.confidence, 0.3))
    depth_node(f"min_confidence:={limit}", "points_confidence:=true", "points_colour:=false")
    heard = viewer.heard
    viewer.until(lambda: heard["depth/image_rect"] and heard["depth/points"], play=play)
    low = expected.confidence < limit
    near = np.abs(expected.confidence - limit) < 1e-3  # rounding may decide these
    left_out = np.isnan(newest(viewer, "depth/image_rect"))
    assert (left_out == low)[~near].all() and 0.2 < left_out.mean() < 0.4
    cloud = viewer.heard["depth/points"][-1]
    assert [field.name for field in cloud.fields] == ["x", "y", "z", "confidence"]
    points = np.frombuffer(cloud.data, "<f4").reshape(*low.shape, 4)
    np.testing.assert_array_equal(np.isnan(points[..., 2]), left_out)
    np.testing.assert_allclose(points[..., 3], expected.confidence, rtol=1e-3, atol=1e-4)
    key = "pixels below min_confidence, last image (%)"
    viewer.until(lambda: of_status(viewer, key) not in (None, "", "0.0"), play=play)
    assert float(of_status(viewer, key)) == pytest.approx(100 * left_out.mean(), abs=1)
    assert int(of_status(viewer, "pixels below min_confidence")) >= left_out.sum()

    # The limit can change while the node runs.
    parameter = Parameter("min_confidence", value=0.0).to_parameter_msg()
    request = SetParameters.Request(parameters=[parameter])
    assert viewer.call(SetParameters, "depth_node/set_parameters", request).results[0].successful
    viewer.until(lambda: np.isfinite(newest(viewer, "depth/image_rect")).all(), play=play)


def test_a_model_that_nobody_calibrated_has_no_stddev(
    viewer: Viewer, depth_node: Any, play: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "raw"
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("sample*"))
    card = yaml.safe_load((folder / "card.yaml").read_text())
    kept = {key: value for key, value in card.items() if key not in ("error_model", "uncertainty")}
    (folder / "card.yaml").write_text(yaml.safe_dump(kept))
    for topic in ("depth/confidence", "depth/stddev"):
        viewer.listen(Image, topic)
    depth_node(f"model:={folder}")

    def told() -> bool:
        statuses = viewer.heard["/diagnostics"][-1].status if viewer.heard["/diagnostics"] else []
        return any("depth/stddev is not published: nobody" in one.message for one in statuses)

    viewer.until(lambda: viewer.heard["depth/confidence"] and told(), play=play)
    assert not viewer.heard["depth/stddev"]
