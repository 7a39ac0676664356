"""The camera's height above a ground that is drawn by hand."""

import numpy as np
import pytest
from drawn_ground import CAMERA, plane_depth

from monodepth_ros.inference.scale.ground_plane import ground_height


@pytest.mark.parametrize("pitch, roll", [(0, 0), (12, 0), (-8, 0), (5, 7)])
@pytest.mark.parametrize("height", [0.25, 1.6])
def test_height_of_a_plane(height, pitch, roll):
    assert ground_height(plane_depth(height, pitch, roll), CAMERA) == pytest.approx(height, 1e-2)


def test_obstacles_noise_and_holes_do_not_move_it():
    generator = np.random.default_rng(0)
    depth = plane_depth(1.2, 5)
    depth *= generator.normal(1, 0.02, depth.shape).astype(np.float32)
    depth[80:110, 20:70] = 2.0  # something stands there
    depth[generator.random(depth.shape) < 0.2] = np.nan
    assert ground_height(depth, CAMERA) == pytest.approx(1.2, rel=0.03)


def test_a_wall_is_no_ground():
    assert ground_height(np.full((128, 192), 3.0, np.float32), CAMERA) is None


def test_clutter_is_no_ground():
    depth = np.random.default_rng(1).uniform(0.5, 10, (128, 192)).astype(np.float32)
    assert ground_height(depth, CAMERA) is None


def test_nothing_seen_is_no_ground():
    assert ground_height(np.full((128, 192), np.nan, np.float32), CAMERA) is None


def test_the_same_depth_gives_the_same_height():
    depth = plane_depth(0.4) + np.random.default_rng(2).normal(0, 0.01, (128, 192))
    heights = {ground_height(depth.astype(np.float32), CAMERA) for _ in range(3)}
    assert len(heights) == 1


def test_confidence_decides_between_two_planes():
    """Most of the ground is seen wrong, and known to be."""
    depth, wrong = plane_depth(1.2, 5), np.zeros((128, 192), bool)
    wrong[:, :130] = True
    depth[wrong] = plane_depth(0.8, 5)[wrong]
    confidence = np.where(wrong, 0.05, 0.9).astype(np.float32)
    assert ground_height(depth, CAMERA) == pytest.approx(0.8, rel=0.02)
    assert ground_height(depth, CAMERA, confidence) == pytest.approx(1.2, rel=0.02)
    even = np.full_like(confidence, 0.3)
    assert ground_height(depth, CAMERA, even) == pytest.approx(0.8, rel=0.02)
    assert ground_height(depth, CAMERA, np.zeros_like(confidence)) is None
