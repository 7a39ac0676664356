"""What a step's covariance is made of, with exact values."""

import math

import numpy as np
import pytest

from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.odometry.mapping.step_covariance import (
    Misfit,
    StepNoise,
    step_covariance,
)

STEP = motion_of(np.array([0.3, 0.0, 0.4, 0.0, np.pi / 2, 0.0]))
INFORMATION = np.diag([1e4, 1e6, 1e6, 1e8, 1e8, 1e8])
POINTS = StepNoise(inflation=2.0, shared=0.0, scale=0.0)


def test_it_is_in_the_axes_of_the_earlier_camera() -> None:
    covariance = step_covariance(INFORMATION, STEP, 5.0, 1.0, POINTS)
    # The later camera's x axis is the earlier one's -z.
    expected = [4e-6, 4e-6, 4e-4, 4e-8, 4e-8, 4e-8]
    np.testing.assert_allclose(np.diag(covariance), expected, rtol=1e-6)


def test_what_all_points_share_is_a_turn_and_a_shift_at_their_distance() -> None:
    more = StepNoise(inflation=2.0, shared=1e-3, scale=0.1)
    without = step_covariance(INFORMATION, STEP, 5.0, 1.0, POINTS)
    added = step_covariance(INFORMATION, STEP, 5.0, 1.0, more) - without
    np.testing.assert_allclose(np.diag(added)[3:], [1e-6] * 3, rtol=1e-6)
    # The scale: 0.01 * 5 m * 0.5 m along (0.6, 0, 0.8).
    along = 0.025 * np.array([0.36, 0, 0.64])
    np.testing.assert_allclose(np.diag(added)[:3], 25e-6 + along)
    assert added[0, 2] == pytest.approx(0.025 * 0.48)
    still = motion_of(np.array([0.0, 0.0, 0.0, 0.0, 0.1, 0.0]))
    assert np.isfinite(step_covariance(INFORMATION, still, 5.0, 1.0, more)).all()


def test_it_grows_with_the_square_of_the_misfit() -> None:
    once, thrice = (step_covariance(INFORMATION, STEP, 5.0, m, StepNoise()) for m in (1.0, 3.0))
    np.testing.assert_allclose(thrice, 9 * once)


def test_the_scale_of_two_steps_is_as_sure_as_that_of_one_twice_as_long() -> None:
    noise = StepNoise(inflation=0.0, shared=0.0)
    half = STEP.copy()
    half[:3, 3] /= 2
    whole, part = (step_covariance(INFORMATION, T, 5.0, 1.0, noise) for T in (STEP, half))
    np.testing.assert_allclose(2 * part, whole)


def test_the_misfit_is_that_of_the_sure_points_or_the_usual_one() -> None:
    misfit, sure = Misfit(memory=4), np.repeat([True, False], 20)
    few = np.arange(40) < 11
    assert misfit.add(np.full(40, 1e3), few) == 1.0

    def errors(size: float) -> np.ndarray:
        return np.where(sure, size**2 * 2 * math.log(2), 0.0)

    assert misfit.add(errors(2.0), sure) == pytest.approx(2.0)
    assert misfit.add(errors(0.25), sure) == pytest.approx(1.25 - 0.25)
    assert misfit.add(errors(0.2), sure) == pytest.approx(0.8)
    assert misfit.add(np.zeros(40), few) == pytest.approx(0.8)


def test_the_misfit_of_gaussian_errors_is_their_deviation() -> None:
    errors = np.random.default_rng(0).normal(0, 1.5, (20000, 2))
    misfit = Misfit(memory=1)
    assert misfit.add((errors**2).sum(1), np.ones(20000, np.bool_)) == pytest.approx(1.5, rel=0.01)
