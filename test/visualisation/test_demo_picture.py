"""The picture of a frame: parts, sizes, and what lies where from above."""

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.visualisation.demo_picture import demo_picture

CAMERA = PinholeCamera.from_focal_length(40, 30, 30.0, 30.0, 19.5, 14.5)
RGB = np.random.default_rng(0).integers(50, 256, (60, 80, 3), dtype=np.uint8)
PATH = np.array([[0, 0, -1.0], [0, 0, 0]])


def test_parts_stand_side_by_side():
    depth = np.full((30, 40), 2.0, np.float32)
    picture = demo_picture(RGB, depth, np.ones((30, 40), np.float32), CAMERA, PATH)
    assert picture.shape == (60, 3 * 80 + 60, 3) and picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[:, :80], RGB)
    assert demo_picture(RGB, depth, None, CAMERA, PATH).shape == (60, 2 * 80 + 60, 3)


def test_a_wall_is_a_line_across_the_view_from_above():
    depth = np.full((30, 40), 2.0, np.float32)
    picture = demo_picture(RGB, depth, None, CAMERA, PATH)
    above = picture[:, 160:].max(2) > 40
    assert above[:3].sum() > 0.5 * above.sum() - 60
    rows = np.flatnonzero(above.sum(1) > 25)
    assert len(rows) <= 2 and rows.max() < 5  # as far up as anything is seen


def test_invalid_depth_is_left_out():
    depth = np.full((30, 40), np.nan, np.float32)
    picture = demo_picture(RGB, depth, None, CAMERA, PATH, truth=PATH)
    assert picture.shape == (60, 220, 3)
