"""Scale consistency against hand calculation."""

import math

import numpy as np
import pytest

from monodepth_ros.evaluation.scale.consistency import (
    cross_sequence_scale_std,
    pose_depth_log_ratio,
    pose_scales,
    ratio_spread,
    sequence_scale_std,
)


def along_z(positions):
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    poses[:, 2, 3] = positions
    return poses


def test_spread_about_the_median():
    median, std = ratio_spread([1, 2, 6])
    assert median == 2
    assert std == pytest.approx(math.sqrt(((0.5 - 1.5) ** 2 + 0.5**2 + 1.5**2) / 3))


def test_sequences_of_constant_scale_spread_only_across():
    ratios = {"a": [2.0, 2.0, 2.0], "b": [6.0, 6.0]}
    assert sequence_scale_std(ratios) == 0
    assert cross_sequence_scale_std(ratios) == pytest.approx(0.5)


def test_sequence_spread_is_the_mean_over_sequences_whatever_their_length_and_scale():
    ratios = {"a": [1.0, 3.0], "b": [40.0] * 9}
    assert sequence_scale_std(ratios) == pytest.approx(0.25)


def test_pose_scales_leave_out_short_motion_and_still_estimates():
    truth, estimate = along_z([0, 1, 1.05, 3, 4]), along_z([0, 0.5, 1, 2, 2])
    scales = pose_scales(estimate, truth)
    np.testing.assert_allclose(scales, [2, np.nan, 1.95, np.nan])


def test_log_ratio_of_pose_and_depth_scale():
    assert pose_depth_log_ratio([2, 4, np.nan], [2, 4, 3]) == (0, 0, 0)
    log2 = pytest.approx(math.log(2))
    assert pose_depth_log_ratio([1, 4], [2, 2]) == (log2, log2, 0)
    assert pose_depth_log_ratio([4, 4], [2, 2]) == (log2, 0, log2)
    assert np.isnan(pose_depth_log_ratio([np.nan], [1.0])).all()
