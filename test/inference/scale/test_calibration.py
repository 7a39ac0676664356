"""Scale, shift and exponent of many points at once."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.scale.calibration import fit_metres

COUNT = 2000


def predictions(seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).uniform(-2, 1, COUNT))


def noisy(values: np.ndarray, seed: int = 1) -> np.ndarray:
    """With 5 % of noise, and a fifth of outliers to one side."""
    generator = np.random.default_rng(seed)
    values = values * np.exp(generator.normal(0, 0.05, COUNT))
    values[: COUNT // 5] *= generator.uniform(1.5, 4, COUNT // 5)
    return values


SMALL = np.full(COUNT, 1e-8)


def test_a_factor_alone_where_no_exponent_helps() -> None:
    q = predictions()
    fit = fit_metres(noisy(0.4 * q), SMALL, q, with_shift=False)
    assert (fit.exponent, fit.shift) == (1.0, 0.0)
    assert fit.scale == pytest.approx(0.4, rel=0.02)
    assert 0.04 < fit.deviation < 0.1 and fit.points == COUNT


def test_the_exponent_of_depth_that_is_compressed() -> None:
    q = predictions()
    fit = fit_metres(noisy(0.4 * q**1.4), SMALL, q, with_shift=False)
    assert fit.exponent == pytest.approx(1.4, abs=0.03)
    assert fit.scale == pytest.approx(0.4, rel=0.03)


def test_scale_and_shift() -> None:
    q = predictions()
    fit = fit_metres(noisy(0.4 * q + 0.1), SMALL, q, with_shift=True)
    assert fit.exponent == 1.0
    assert (fit.scale, fit.shift) == (pytest.approx(0.4, rel=0.03), pytest.approx(0.1, abs=0.01))


def test_scale_shift_and_exponent() -> None:
    q = predictions()
    fit = fit_metres(0.4 * q**1.5 + 0.1, SMALL, q, with_shift=True)
    assert fit.exponent == pytest.approx(1.5)
    assert (fit.scale, fit.shift) == (pytest.approx(0.4, rel=1e-3), pytest.approx(0.1, abs=1e-3))


def test_a_shift_may_have_any_sign() -> None:
    q = predictions() - 0.3  # partly negative: no power of it
    fit = fit_metres(0.5 * q + 0.2, SMALL, q, with_shift=True)
    assert fit.exponent == 1.0 and fit.shift == pytest.approx(0.2, abs=1e-3)


def test_points_that_do_not_go_with_the_prediction_are_told() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(UserError, match="no metres can be fitted"):
        fit_metres(np.exp(generator.normal(0, 3, COUNT)), SMALL, predictions(), with_shift=False)
    with pytest.raises(UserError, match="3 points with a depth"):
        fit_metres(np.ones(3), np.ones(3), np.ones(3), with_shift=False)
