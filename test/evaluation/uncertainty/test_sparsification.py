"""Sparsification against closed forms and against a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from monodepth_ros.evaluation.uncertainty.sparsification import (
    PIXEL_ERRORS,
    REMOVED,
    gain,
    mean_of_the_rest,
    sparsification,
)

N = 1000
ERRORS = np.arange(1.0, N + 1)  # of mean (N + 1) / 2


def area_gain(last: float) -> float:
    """AURG of a curve that goes straight from 1 to ``last`` and stays there for the last 2 %."""
    return 1 - (0.98 * (1 + last) / 2 + 0.02 * last)


def shuffled(*arrays: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    order = np.random.default_rng(3).permutation(len(arrays[0]))
    return [array[order] for array in arrays]


def test_steps_of_two_percent() -> None:
    np.testing.assert_allclose(REMOVED, np.linspace(0, 0.98, 50))


def test_perfect_uncertainty_leaves_the_smallest_errors() -> None:
    errors, uncertainty = shuffled(ERRORS, np.exp(ERRORS / 100))  # any growing function of it
    curve = mean_of_the_rest(errors, uncertainty)
    left = N * (1 - np.linspace(0, 0.98, 50))
    np.testing.assert_allclose(curve, (left + 1) / 2, rtol=1e-12)
    assert gain(curve.tolist()) == pytest.approx(area_gain((N / 50 + 1) / (N + 1)), abs=1e-12)
    assert gain(curve.tolist()) == pytest.approx(0.5, abs=0.01)


def test_inverted_uncertainty_is_as_much_worse_than_random() -> None:
    errors, uncertainty = shuffled(ERRORS, -ERRORS)
    curve = mean_of_the_rest(errors, uncertainty)
    left = N * (1 - np.linspace(0, 0.98, 50))
    np.testing.assert_allclose(curve, N - (left - 1) / 2, rtol=1e-12)
    last = (2 * N - N / 50 + 1) / (N + 1)
    assert gain(curve.tolist()) == pytest.approx(area_gain(last), abs=1e-12)
    assert gain(curve.tolist()) == pytest.approx(-0.5, abs=0.01)


def test_uncertainty_that_says_nothing_is_as_random_exactly() -> None:
    (errors,) = shuffled(ERRORS)
    curve = mean_of_the_rest(errors, np.zeros(N))
    np.testing.assert_allclose(curve, np.full(50, (N + 1) / 2), rtol=1e-12)
    assert gain(curve.tolist()) == pytest.approx(0, abs=1e-12)


def test_random_uncertainty_gains_nothing() -> None:
    generator = np.random.default_rng(0)
    gains = [gain(mean_of_the_rest(ERRORS, generator.random(N)).tolist()) for _ in range(200)]
    assert abs(np.mean(gains)) < 4 * np.std(gains) / math.sqrt(200)
    assert np.std(gains) < 0.03


def test_pixels_of_equal_uncertainty_count_as_their_mean() -> None:
    errors = np.array([1.0, 9.0, 2.0, 4.0] * 25)
    curve = mean_of_the_rest(errors, np.array([0.0, 0.0, 1.0, 1.0] * 25))
    more = np.arange(50, -1, -2)  # of the less certain ones
    np.testing.assert_allclose(curve[:26], (50 * 5 + more * 3) / (50 + more))
    np.testing.assert_allclose(curve[25:], 5.0)


def test_unknown_is_removed_first() -> None:
    errors = np.array([10.0] * 10 + [1.0] * 90)
    uncertainty = np.array([np.inf] * 10 + [0.0] * 90)
    curve = mean_of_the_rest(errors, uncertainty)
    np.testing.assert_allclose(curve[5:], 1.0)


def test_by_a_plain_loop() -> None:
    """Removed one after another, in lists; no two uncertainties are equal."""
    random, count = np.random.default_rng(7), 350
    truth = random.uniform(1, 10, count)
    depth, uncertainty = truth * random.lognormal(0, 0.3, count), random.random(count)
    pairs = list(zip(depth.tolist(), truth.tolist(), strict=True))
    errors = {
        "abs_rel": [abs(d - t) / t for d, t in pairs],
        "rmse": [(d - t) ** 2 for d, t in pairs],
        "not_a1": [float(max(d / t, t / d) >= 1.25) for d, t in pairs],
    }
    found = sparsification(depth, truth, uncertainty)
    for name, values in errors.items():
        for curve, ranks in ((found.curves[name], uncertainty), (found.oracle[name], values)):
            kept = [error for _, error in sorted(zip(ranks, values, strict=True))]
            for k in range(50):
                left = kept[: max(1, round((1 - k / 50) * count))]
                mean = math.fsum(left) / len(left)
                expected = math.sqrt(mean) if name == "rmse" else mean
                assert curve[k] == pytest.approx(expected, rel=1e-9, abs=1e-12), (name, k)


def test_few_pixels_and_no_error() -> None:
    one = np.array([2.0])
    found = sparsification(one, one, np.array([0.3]))
    assert set(found.curves) == set(PIXEL_ERRORS)
    assert all(curve == [0.0] * 50 for curve in found.curves.values())
    assert all(math.isnan(gain(curve)) for curve in found.curves.values())


def test_the_unit_of_depth_does_not_matter() -> None:
    random = np.random.default_rng(1)
    truth = random.uniform(1, 10, 500)
    depth, uncertainty = truth * random.lognormal(0, 0.3, 500), random.random(500)
    one = sparsification(depth, truth, uncertainty)
    other = sparsification(100 * depth, 100 * truth, 5 * uncertainty)
    for name in PIXEL_ERRORS:
        assert gain(one.curves[name]) == pytest.approx(gain(other.curves[name]), rel=1e-9)
