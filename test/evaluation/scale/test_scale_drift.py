"""The trend of a trajectory's scale: closed forms, and what is not a trend."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from monodepth_ros.evaluation.scale.drift import log_ratios, scale_drift


def straight(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    poses = np.tile(np.eye(4), (len(lengths) + 1, 1, 1))
    poses[1:, 2, 3] = np.cumsum(lengths)
    return poses


def test_a_constant_factor_is_no_drift() -> None:
    truth = straight(np.full(100, 0.5))
    estimate = truth.copy()
    estimate[:, :3, 3] *= 3.0
    drift = scale_drift(estimate, truth)
    assert drift.percent_per_10m == pytest.approx(0, abs=1e-9)
    assert drift.percent_per_100_frames == pytest.approx(0, abs=1e-9)
    assert drift.spread_percent == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(log_ratios(estimate, truth)[2], np.log(3.0))


def test_growing_steps_are_a_trend_over_path_and_frames() -> None:
    """Steps of half a metre that grow by 0.1 % each: 20 steps are 10 m."""
    count = 200
    truth = straight(np.full(count, 0.5))
    estimate = straight(0.5 * np.exp(0.001 * np.arange(count)))
    drift = scale_drift(estimate, truth)
    assert drift.percent_per_10m == pytest.approx(100 * np.expm1(0.02), rel=1e-9)
    assert drift.percent_per_100_frames == pytest.approx(100 * np.expm1(0.1), rel=1e-9)
    lengths = count - 10 + 1
    assert drift.spread_percent == pytest.approx(0.1 * np.sqrt((lengths**2 - 1) / 12), rel=1e-9)


def test_worlds_and_turns_do_not_matter() -> None:
    random = np.random.default_rng(0)
    truth = straight(random.uniform(0.5, 1.5, 60))
    estimate = straight(random.uniform(0.5, 1.5, 60))
    turned = estimate.copy()
    turned[:, :3, 3] = estimate[:, [2, 0, 1], 3] + 5.0
    assert scale_drift(turned, truth).percent_per_10m == pytest.approx(
        scale_drift(estimate, truth).percent_per_10m
    )


def test_standing_and_short_recordings_have_no_drift() -> None:
    standing = straight(np.zeros(50))
    assert np.isnan(scale_drift(standing, standing).percent_per_10m)
    two = straight(np.ones(2))
    assert np.isnan(scale_drift(two, two).spread_percent)


def test_stretches_that_hardly_move_do_not_count() -> None:
    lengths = np.concatenate([np.ones(50), np.full(20, 1e-6), np.ones(50)])
    truth = straight(lengths)
    noisy = straight(lengths + np.where(lengths < 0.1, 0.01, 0.0))
    assert scale_drift(noisy, truth).spread_percent < 2.0
