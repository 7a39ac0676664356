"""Scale and shift over time: noise is averaged, outliers are left out, changes are followed."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.inference.scale.filter import ScaleFilter
from monodepth_ros.inference.scale.from_points import PointScale
from monodepth_ros.stamps import SECOND


def fit(scale: float, shift: float = 0.0, deviation: float = 0.05) -> PointScale:
    covariance = np.diag([deviation**2, (0.3 * deviation) ** 2 if shift else 0.0])
    return PointScale(scale, shift, covariance, 0.2, np.ones(50, bool))


def test_a_scale_is_known_when_enough_agree() -> None:
    scales = ScaleFilter(with_shift=False)
    for k in range(scales.settings.first):
        assert scales.scale is None and f"{k} of" in scales.missing
        assert scales.add(fit(0.5), k * SECOND // 10, 0.3)
    assert scales.scale is not None and scales.scale.factor == pytest.approx(2.0)
    assert scales.missing == ""


def test_noise_is_averaged_and_stated() -> None:
    generator = np.random.default_rng(0)
    scales = ScaleFilter(with_shift=False)
    for k in range(100):
        scales.add(
            fit(0.5 * np.exp(generator.normal(0, 0.1)), deviation=0.1), k * SECOND // 30, 0.3
        )
    known = scales.scale
    assert known is not None and known.covariance is not None
    assert abs(np.log(known.factor / 2)) < 3 * known.covariance[0, 0] ** 0.5 < 0.6


def test_an_outlier_is_left_out_and_a_change_is_followed() -> None:
    scales = ScaleFilter(with_shift=False)
    for k in range(10):
        scales.add(fit(0.5), k * SECOND // 10, 0.3)
    assert not scales.add(fit(2.0), SECOND, 0.3)
    assert scales.scale is not None and scales.scale.factor == pytest.approx(2.0, rel=0.01)
    for k in range(11, 21):
        scales.add(fit(2.0), k * SECOND // 10, 0.3)
    assert scales.scale is not None and scales.scale.factor == pytest.approx(0.5, rel=0.01)


def test_measurements_that_do_not_agree_make_nothing_known() -> None:
    scales = ScaleFilter(with_shift=False)
    for k in range(12):
        scales.add(fit(0.5 * 4 ** (k % 2)), k * SECOND // 10, 0.3)
        assert scales.scale is None


def test_scale_and_shift_are_kept_together() -> None:
    scales = ScaleFilter(with_shift=True)
    for k in range(10):
        scales.add(fit(0.5, 0.2), k * SECOND // 10, 0.3)
    known = scales.scale
    assert known is not None
    assert (known.factor, known.shift) == (pytest.approx(2.0), pytest.approx(0.2))
    assert not scales.add(fit(0.5, 1.5), SECOND, 0.3)


def test_a_jump_of_the_clock_forgets_all() -> None:
    scales = ScaleFilter(with_shift=False)
    for k in range(10):
        scales.add(fit(0.5), 100 * SECOND + k * SECOND // 10, 0.3)
    scales.add(fit(0.5), SECOND, 0.3)
    assert scales.scale is None
