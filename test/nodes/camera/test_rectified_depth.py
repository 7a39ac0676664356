"""A distorted camera's corners that it did not see: NaN in depth and clouds, confidence 0."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")

from std_msgs.msg import Header
from viewer import CAMERA, RGB

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.data.bags.recorded_frames import frames_of_sequence
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.data.rectification import Rectifier, rectified
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS
from monodepth_ros.evaluation.predictions import predicted_disparity
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_valid
from monodepth_ros.inference.depth_estimator import DepthEstimator, OutputSize
from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
from monodepth_ros.nodes.conversions.point_cloud import CloudSettings
from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier

# Pincushion: rectified corners lie outside of what the sensor saw.
DISTORTED = PinholeCamera(
    CAMERA.width, CAMERA.height, CAMERA.K, "plumb_bob", (0.25, 0.05, 0.0, 0.0, 0.0)
)
VALID = Rectifier(DISTORTED).camera.valid


@pytest.mark.parametrize("output_size", ["network", "image"])
@pytest.mark.parametrize("encoding", ["32FC1", "16UC1"])
def test_live(output_size: OutputSize, encoding: str) -> None:
    assert VALID is not None and 0.02 < (~VALID).mean() < 0.3
    estimator = DepthEstimator("demo", "cpu", output_size=output_size)
    header = Header(frame_id="camera")
    info = info_of_camera(DISTORTED, header)
    frame = FrameRectifier().frame(encode_image(RGB, "bgr8", header), info)
    seen = estimator.estimate(frame.rgb, frame.camera, with_confidence=True)
    expected = resize_valid(VALID, seen.depth.shape)
    wanted = {"depth/image_rect", "depth/points", "depth/confidence"}
    messages = DepthPipeline().messages(
        frame, seen.in_metres(2.0), wanted, encoding, CloudSettings(colour=False)
    )
    assert messages.keys() == {"depth/camera_info", *wanted}
    np.testing.assert_array_equal(np.isfinite(decode_depth(messages["depth/image_rect"])), expected)
    points = np.frombuffer(messages["depth/points"].data, "<f4").reshape(*expected.shape, 3)
    np.testing.assert_array_equal(np.isfinite(points).all(2), expected)
    np.testing.assert_array_equal(np.isnan(points).all(2), ~expected)
    confidence = np.frombuffer(messages["depth/confidence"].data, "<f4").reshape(expected.shape)
    assert (confidence[~expected] == 0).all() and (confidence[expected] > 0).any()


def test_recorded(tmp_path: Path) -> None:
    """The same of a recording that is replayed or evaluated."""
    with SequenceWriter(tmp_path / "still", DISTORTED, fps=10, image_format="png") as writer:
        writer.add(RGB, np.full(RGB.shape[:2], 2.0, np.float32), np.eye(4))
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    assert VALID is not None
    expected = resize_valid(VALID, estimator.size)
    (frame,) = frames_of_sequence(FolderSequence(tmp_path / "still"), Counter(), {})
    assert frame is not None and frame.depth is not None
    depth = estimator.estimate(frame.rgb, frame.camera).depth
    np.testing.assert_array_equal(np.isfinite(depth), expected)
    np.testing.assert_array_equal(np.isfinite(frame.depth), VALID)
    sequence = rectified(FolderSequence(tmp_path / "still"))
    for flip in (False, True):
        disparity = predicted_disparity(estimator, sequence, 0, PROTOCOLS["plain"], flip)
        assert not np.isfinite(disparity)[~expected].any()
        assert (np.isfinite(disparity) == expected).mean() > (0.99 if flip else 0.9999)
