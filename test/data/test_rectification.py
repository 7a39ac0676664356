"""The rectified view of a recording: pixels move to where an undistorted camera sees them."""

import dataclasses

import cv2
import numpy as np

from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.data.rectification import Rectifier, rectified
from monodepth_ros.geometry.camera import PinholeCamera

PINHOLE = PinholeCamera.from_focal_length(64, 48, fx=50.0, fy=50.0, cx=31.5, cy=23.5)
DISTORTED = dataclasses.replace(
    PINHOLE, distortion_model="plumb_bob", D=(-0.3, 0.1, 0.001, -0.002, 0.0)
)


def record(path, camera, image, depth):
    with SequenceWriter(path, camera, fps=10, image_format="png") as writer:
        writer.add(image, depth, np.eye(4), stamp_ns=5, speed=1.5)
    return FolderSequence(path)


def test_undistorted_sequence_is_left_alone(tmp_path):
    image, depth = np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), np.float32)
    sequence = record(tmp_path / "walk", PINHOLE, image, depth)
    assert rectified(sequence) is sequence


def test_a_point_is_seen_where_the_pinhole_projects_it(tmp_path):
    image, depth = np.zeros((48, 64, 3), np.uint8), np.full((48, 64), np.nan, np.float32)
    direction = np.array([0.35, -0.2, 1.0])
    seen = cv2.projectPoints(
        direction[None], np.zeros(3), np.zeros(3), PINHOLE.K, np.array(DISTORTED.D)
    )[0].ravel()
    column, row = np.round(seen).astype(int)
    image[row - 1 : row + 2, column - 1 : column + 2] = 255
    depth[row - 1 : row + 2, column - 1 : column + 2] = 2.0
    sequence = rectified(record(tmp_path / "walk", DISTORTED, image, depth))
    expected = (PINHOLE.K @ direction)[:2]
    assert np.linalg.norm(expected - seen) > 0.5
    weight = sequence.image(0)[:, :, 0] / 255.0
    rows, columns = np.mgrid[:48, :64]
    centre = [(columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()]
    assert np.linalg.norm(centre - expected) < 0.6
    valid = np.isfinite(sequence.depth(0))
    assert np.linalg.norm([columns[valid].mean(), rows[valid].mean()] - expected) < 1
    assert (sequence.depth(0)[valid] == 2).all()
    assert not sequence.camera.distorted
    assert (sequence.stamp_ns(0), sequence.speed(0), len(sequence)) == (5, 1.5, 1)
    assert sequence.has_depth and sequence.has_pose
    np.testing.assert_array_equal(sequence.pose(0), np.eye(4))


def test_the_middle_is_not_shown_again_where_the_lens_model_turns_back():
    """It holds up to a ray of 0.913; the corners of this image see rays of up to 1.25."""
    wide = PinholeCamera.from_focal_length(65, 49, fx=32.0, fy=32.0, cx=32.0, cy=24.0)
    wide = dataclasses.replace(wide, distortion_model="plumb_bob", D=(-0.4, 0.0, 0.0, 0.0))
    rectifier = Rectifier(wide)
    rows, columns = np.mgrid[:49, :65]
    ray = np.hypot(columns - 32, rows - 24) / 32
    np.testing.assert_array_equal(rectifier.camera.valid, ray < 0.913)
    image = np.zeros((49, 65, 3), np.uint8)
    image[1:-1, 1:-1] = 255  # all but the border
    assert (rectifier.image(image)[ray > 0.913] == 0).all()
    depth = rectifier.depth(np.ones((49, 65), np.float32))
    np.testing.assert_array_equal(np.isfinite(depth), ray < 0.913)
