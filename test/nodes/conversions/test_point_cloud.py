from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")

from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.projection import backproject
from monodepth_ros.nodes.conversions.point_cloud import CloudMaker

CAMERA = PinholeCamera.from_focal_length(12, 10, 9.0, 8.0, 5.5, 4.0)
DEPTH = np.random.default_rng(0).uniform(0.5, 5, (10, 12)).astype(np.float32)
DEPTH[3, 4] = np.nan


@pytest.mark.parametrize("stride", [1, 3])
def test_points_are_the_back_projection_of_depth(stride: int) -> None:
    cloud = CloudMaker(CAMERA, stride).message(DEPTH, Header(frame_id="camera"))
    K = torch.from_numpy(CAMERA.K)[None].float()
    expected = backproject(torch.from_numpy(DEPTH)[None, None], K)[0].permute(1, 2, 0)
    points = np.frombuffer(cloud.data, "<f4").reshape(cloud.height, cloud.width, 3)
    np.testing.assert_allclose(points, expected[::stride, ::stride], atol=1e-4)
    assert [f.name for f in cloud.fields] == ["x", "y", "z"]
    assert cloud.row_step == cloud.point_step * cloud.width == 12 * cloud.width
    assert cloud.header.frame_id == "camera" and not cloud.is_dense
    assert np.isnan(points).any() == (stride == 1)


def test_colours_are_packed_as_viewers_read_them() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    cloud = CloudMaker(CAMERA, 2).message(DEPTH, Header(), rgb)
    assert [(f.name, f.offset) for f in cloud.fields] == [("x", 0), ("y", 4), ("z", 8), ("rgb", 12)]
    stored = np.frombuffer(cloud.data, "u1").reshape(5, 6, 16)
    np.testing.assert_array_equal(stored[..., 12:15], rgb[::2, ::2, ::-1])  # b, g, r in memory


@pytest.mark.parametrize("stride", [1, 2])
def test_clouds_higher_than_a_band_are_complete_and_share_one_message(stride: int) -> None:
    camera = PinholeCamera.from_focal_length(12, 75, 9.0, 8.0, 5.5, 37.0)
    rng, maker = np.random.default_rng(2), CloudMaker(camera, stride)
    rows, columns = np.mgrid[0:75:stride, 0:12:stride]
    former = None
    for _ in range(2):
        depth = rng.uniform(0.5, 5, (75, 12)).astype(np.float32)
        rgb = rng.integers(0, 256, (75, 12, 3), dtype=np.uint8)
        cloud = maker.message(depth, Header(), rgb)
        z = depth[::stride, ::stride]
        stored = np.frombuffer(cloud.data, "<f4").reshape(cloud.height, cloud.width, 4)
        expected = np.stack([(columns - 5.5) / 9 * z, (rows - 37) / 8 * z, z], -1)
        np.testing.assert_allclose(stored[..., :3], expected, rtol=1e-5, atol=1e-6)
        packed = rgb[::stride, ::stride].astype(np.uint32) @ [1 << 16, 1 << 8, 1]
        np.testing.assert_array_equal(stored.view("<u4")[..., 3], packed)
        assert former is None or cloud is former
        former = cloud


def test_a_smaller_depth_image_gives_points_of_the_same_plane() -> None:
    """A tilted plane seen at 64x48, and at a quarter of each side: the same plane in metres."""
    camera = PinholeCamera.from_focal_length(64, 48, 50.0, 52.0, 27.0, 25.0)
    normal = np.array([0.2, -0.4, -1.0])  # of the plane normal . p = -3

    def plane_points(seen_by: PinholeCamera, depth: np.ndarray) -> np.ndarray:
        cloud = CloudMaker(seen_by).message(depth.astype(np.float32), Header())
        return np.frombuffer(cloud.data, "<f4").reshape(cloud.height, cloud.width, 3)

    rows, columns = np.mgrid[0:48, 0:64]
    rays = np.linalg.inv(camera.K) @ np.stack([columns.ravel(), rows.ravel(), np.ones(48 * 64)])
    depth = (-3.0 / (normal @ rays)).reshape(48, 64)
    assert (depth > 0).all()
    # Inverse depth is linear over the image of a plane, so its means are exact.
    small = 1 / (1 / depth).reshape(12, 4, 16, 4).mean((1, 3))
    for seen_by, seen in ((camera, depth), (camera.resized(12, 16), small)):
        points = plane_points(seen_by, seen).astype(np.float64)
        np.testing.assert_allclose(points @ normal, -3.0, atol=1e-5)
