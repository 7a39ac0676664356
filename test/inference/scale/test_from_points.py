"""Scale and shift of predicted inverse depth from points, against exact values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monodepth_ros.inference.scale.from_points import (
    PointScale,
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


def test_the_stated_deviation_is_that_of_the_scale() -> None:
    errors, stated = [], []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        predicted = predictions(60, seed)
        known = 0.4 * predicted * np.exp(generator.normal(0, 0.2, 60))
        found = scale_from_points(known, np.full(60, 1e-8), predicted)
        errors.append(np.log(found.scale / 0.4))
        stated.append(found.log_deviation)
    assert np.std(errors) == pytest.approx(np.mean(stated), rel=0.2)


def test_points_that_are_better_known_weigh_more() -> None:
    predicted = predictions(40)
    known = 0.4 * predicted
    variance = np.full(40, 1e-8)
    known[:15] *= 1.3
    variance[:15] = (0.5 * known[:15]) ** 2
    found = scale_from_points(known, variance, predicted)
    assert found.scale == pytest.approx(0.4, rel=1e-3)


@pytest.mark.parametrize("find", [scale_from_points, scale_and_shift_from_points])
def test_too_few_points_say_why(find: Callable[..., PointScale]) -> None:
    predicted = predictions(20)
    known = 0.4 * predicted
    known[5:] = np.nan
    found = find(known, np.full(20, 1e-6), predicted)
    assert found.scale is None
    assert found.factor is None
    assert found.reason.startswith("5 points with a depth")
    assert not found.agreeing.any()


def test_alike_predictions_do_not_tell_scale_from_shift() -> None:
    predicted = 0.5 + 0.01 * predictions(50)
    found = scale_and_shift_from_points(0.4 * predicted + 0.05, np.full(50, 1e-6), predicted)
    assert found.scale is None
    assert "too alike" in found.reason


def test_predictions_that_have_nothing_to_do_with_the_points() -> None:
    found = scale_from_points(predictions(100, 1), np.full(100, 1e-8), predictions(100, 2) ** 4)
    assert found.scale is None
    assert found.reason
    backwards = scale_and_shift_from_points(1 - predictions(50), np.full(50, 1e-6), predictions(50))
    assert backwards.scale is None
    assert "nearer" in backwards.reason
