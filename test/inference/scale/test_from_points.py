"""Scale and shift of predicted inverse depth from points, against exact values."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.inference.scale.from_points import (
    scale_and_shift_from_points,
    scale_from_points,
)


def predictions(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 1.0, count)


def test_exact_points_give_the_exact_scale() -> None:
    predicted = predictions(20)
    found = scale_from_points(0.4 * predicted, np.full(20, 1e-6), predicted)
    assert found.scale == pytest.approx(0.4, rel=1e-9)
    assert found.factor == pytest.approx(2.5, rel=1e-9)
    assert found.shift == 0
    assert found.agreeing.all()


def test_exact_points_give_the_exact_scale_and_shift() -> None:
    predicted = predictions(20)
    found = scale_and_shift_from_points(0.4 * predicted + 0.05, np.full(20, 1e-6), predicted)
    assert found.scale == pytest.approx(0.4, rel=1e-6)
    assert found.shift == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("share", [0.2, 0.4])
@pytest.mark.parametrize("shift", [False, True])
def test_outliers_do_not_count(share: float, shift: bool) -> None:
    count = 200
    errors = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        predicted = predictions(count, seed)
        known = 0.4 * predicted + 0.05 * shift
        noisy = known * np.exp(generator.normal(0, 0.05, count))
        noisy[: int(share * count)] *= generator.uniform(1.5, 4)  # all to one side
        find = scale_and_shift_from_points if shift else scale_from_points
        found = find(noisy, np.full(count, 1e-6), predicted)
        errors.append(np.log(found.scale / 0.4))
        assert found.agreeing[int(share * count) :].mean() > 0.9
    assert np.abs(errors).max() < 0.06
