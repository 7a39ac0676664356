"""Points of clouds, scans and depth images."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from sensor_msgs.msg import LaserScan, PointCloud2, PointField
from std_msgs.msg import Header

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth
from monodepth_ros.nodes.conversions.measured_points import points_of


def cloud(points: np.ndarray, order: str = "<", kind: str = "f4", padding: int = 3) -> PointCloud2:
    """A cloud with an intensity before x, y and z, and bytes after each row."""
    layout = np.dtype([("intensity", order + "f4"), *((name, order + kind) for name in "xyz")])
    stored = np.zeros(len(points), layout)
    for name, values in zip("xyz", points.T, strict=True):
        stored[name] = values
    number = {"f4": PointField.FLOAT32, "f8": PointField.FLOAT64, "i4": PointField.INT32}
    fields = [
        PointField(name=name, offset=layout.fields[name][1], datatype=number[kind], count=1)
        for name in "xyz"
    ]
    return PointCloud2(
        height=1,
        width=len(points),
        fields=fields,
        is_bigendian=order == ">",
        point_step=layout.itemsize,
        row_step=layout.itemsize * len(points) + padding,
        data=stored.tobytes() + bytes(padding),
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_cloud_of_any_layout(order: str, kind: str) -> None:
    points = np.array([[1.5, -2, 3], [np.nan, 0, 1], [4, 5, 6.25]])
    np.testing.assert_array_equal(points_of(cloud(points, order, kind)), points[[0, 2]])


def test_clouds_that_are_none_are_told() -> None:
    points = np.ones((4, 3))
    whole = cloud(points)
    whole.fields = whole.fields[:2]
    with pytest.raises(UserError, match="without field z"):
        points_of(whole)
    with pytest.raises(UserError, match="neither float32 nor float64"):
        points_of(cloud(points, kind="i4"))
    short = cloud(points)
    short.width = 5
    with pytest.raises(UserError, match="5x1 points"):
        points_of(short)


def test_a_scan_lies_in_the_plane_of_its_frame() -> None:
    scan = LaserScan(angle_min=-np.pi / 2, angle_increment=np.pi / 2, range_min=0.1, range_max=10.0)
    scan.ranges = [2.0, 3.0, 20.0]
    np.testing.assert_allclose(points_of(scan), [[0, -2, 0], [3, 0, 0]], atol=1e-6)


def test_a_depth_image_needs_its_camera() -> None:
    camera = PinholeCamera.centred(4, 6, 5.0)
    depth = np.full((4, 6), np.nan, np.float32)
    depth[1, 2] = 2.0
    image = encode_depth(depth, "32FC1", Header(frame_id="range"))
    info = info_of_camera(camera, Header(frame_id="range"))
    np.testing.assert_allclose(points_of(image, info), [[-0.2, -0.2, 2.0]], atol=1e-6)
    with pytest.raises(UserError, match="without a camera_info"):
        points_of(image)
