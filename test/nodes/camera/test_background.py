"""Black background has no depth where a node is asked to leave it out, and is counted; on DDS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from sensor_msgs.msg import Image
from std_msgs.msg import Header
from viewer import CAMERA, Viewer, of_status

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.inference.background import black_background
from monodepth_ros.nodes.conversions.images import encode_image


def test_black_background_is_left_out_and_counted(viewer: Viewer, start_node: Any) -> None:
    rows = np.arange(CAMERA.height)[:, None, None]
    scene = np.where(rows < CAMERA.height // 2, 0, 30 + rows % 200).astype(np.uint8)
    scene = np.ascontiguousarray(np.broadcast_to(scene, (CAMERA.height, CAMERA.width, 3)))
    viewer.listen(Image, "depth/image_rect")
    start_node(
        "depth_node",
        "device:=cpu",
        "diagnostics_period:=0.2",
        "output_size:=image",
        "background:=black_invalid",
    )

    def play() -> None:
        viewer.play(encode_image(scene, "rgb8", Header()))

    viewer.until(lambda: viewer.heard["depth/image_rect"], play=play)
    out = np.isnan(decode_depth(viewer.heard["depth/image_rect"][-1]))
    np.testing.assert_array_equal(out, black_background(scene))
    assert out.mean() == pytest.approx(0.5, abs=0.02)
    key = "pixels of black background, last image (%)"
    viewer.until(lambda: of_status(viewer, key) not in (None, "", "0.0"), play=play)
    assert float(of_status(viewer, key)) == pytest.approx(100 * out.mean(), abs=0.1)
    assert int(of_status(viewer, "pixels of black background")) >= out.sum()
