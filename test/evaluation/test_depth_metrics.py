"""The seven metrics against closed forms and a per-pixel loop."""

import math

import numpy as np
import pytest
import torch

from monodepth_ros.evaluation.depth_metrics import (
    METRIC_NAMES,
    batch_median_scaled_metrics,
    depth_metrics,
    mean_metrics,
    median_ratio,
)
from monodepth_ros.evaluation.depth_protocol import DepthProtocol, evaluate_image

PERFECT = dict(abs_rel=0, sq_rel=0, rmse=0, rmse_log=0, a1=1, a2=1, a3=1)


def random_depths(shape, seed=0):
    random = np.random.default_rng(seed)
    truth = random.uniform(0.5, 9.0, shape)
    return truth * np.exp(random.normal(0, 0.3, shape)), truth


def median_scaled_metrics(pred, truth, min_depth, max_depth):
    """Of one image, as evaluations measure it."""
    protocol = DepthProtocol("limited", min_depth, max_depth, (min_depth, max_depth))
    with np.errstate(divide="ignore"):
        result = evaluate_image(1 / np.atleast_2d(pred), np.atleast_2d(truth), protocol)
    return None if result is None else {**result.metrics, "median_ratio": result.ratio}


def metrics_by_loop(pred, truth):
    sums = dict.fromkeys(METRIC_NAMES, 0.0)
    pairs = list(zip(pred.ravel().tolist(), truth.ravel().tolist(), strict=True))
    for p, t in pairs:
        sums["abs_rel"] += abs(p - t) / t
        sums["sq_rel"] += (p - t) ** 2 / t
        sums["rmse"] += (p - t) ** 2
        sums["rmse_log"] += (math.log(p) - math.log(t)) ** 2
        for k in (1, 2, 3):
            sums[f"a{k}"] += max(p / t, t / p) < 1.25**k
    means = {name: total / len(pairs) for name, total in sums.items()}
    return means | {name: math.sqrt(means[name]) for name in ("rmse", "rmse_log")}


def test_equal_to_a_loop_over_pixels():
    pred, truth = random_depths((7, 11))
    assert depth_metrics(pred, truth) == pytest.approx(metrics_by_loop(pred, truth), rel=1e-12)


def test_perfect_prediction_is_zero_error_and_full_accuracy():
    _, truth = random_depths((5, 5))
    assert depth_metrics(truth, truth) == PERFECT
    scaled = median_scaled_metrics(truth * 0.037, truth, 1e-3, 80)
    assert scaled.pop("median_ratio") == pytest.approx(1 / 0.037)
    assert scaled == pytest.approx(PERFECT, abs=1e-12)


def test_closed_form_of_a_constant_factor():
    truth = np.array([1.0, 2.0, 4.0])
    result = depth_metrics(1.3 * truth, truth)
    assert result["abs_rel"] == pytest.approx(0.3)
    assert result["sq_rel"] == pytest.approx(0.09 * 7 / 3)
    assert result["rmse"] == pytest.approx(0.3 * math.sqrt(7))
    assert result["rmse_log"] == pytest.approx(math.log(1.3))
    assert (result["a1"], result["a2"], result["a3"]) == (0, 1, 1)


def test_accuracy_threshold_is_strict():
    assert depth_metrics([1.25], [1.0])["a1"] == 0
    assert depth_metrics([1.0], [1.25])["a1"] == 0


def test_median_of_an_even_count_is_the_mean_of_the_middle_two():
    assert median_ratio([1, 1, 1, 1], [1, 2, 4, 100]) == 3


def test_median_scaling_comes_before_the_clamp():
    # Scaled by 10, the far pixel reaches 500 and is clamped to 80; clamped first it would be 50.
    pred, truth = np.array([0.5, 1.0, 50.0]), np.array([5.0, 10.0, 79.0])
    result = median_scaled_metrics(pred, truth, 1e-3, 80)
    assert result["median_ratio"] == pytest.approx(10)
    assert result["rmse"] == pytest.approx(1 / math.sqrt(3))


def test_invalid_truth_and_prediction_pixels_do_not_count():
    pred, truth = random_depths((4, 6))
    clean = median_scaled_metrics(pred[:2], truth[:2], 1e-3, 80)
    truth[2, :3], truth[2, 3:] = np.nan, 0
    truth[3, 0], truth[3, 1], truth[3, 2] = 100, -1, np.inf
    pred[3, 3], pred[3, 4], pred[3, 5] = np.nan, 0, -2
    assert median_scaled_metrics(pred, truth, 1e-3, 80) == clean


def test_no_valid_pixel_gives_no_figures():
    assert median_scaled_metrics(np.ones((3, 3)), np.full((3, 3), np.nan), 1e-3, 80) is None
    with pytest.raises(ValueError, match="paired"):
        depth_metrics([], [])


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0, np.inf])
def test_unmasked_depth_is_refused(bad):
    with pytest.raises(ValueError, match="finite, positive"):
        depth_metrics([1.0, bad], [1.0, 2.0])


def test_mean_gives_every_image_the_same_weight():
    images = [depth_metrics(*random_depths(n, seed=n)) for n in (3, 300)]
    mean = mean_metrics(images)
    assert mean["rmse"] == pytest.approx((images[0]["rmse"] + images[1]["rmse"]) / 2)
    with pytest.raises(ValueError, match="no image"):
        mean_metrics([])


def test_batched_metrics_equal_those_of_each_image():
    pred, truth = random_depths((4, 1, 6, 9), seed=3)
    truth[0, 0, :2] = np.nan
    truth[1, 0, 0, 0] = 0  # an odd count beside even ones
    pred[2, 0, 1, 1] = np.nan
    truth[3] = np.nan
    batch = batch_median_scaled_metrics(torch.from_numpy(pred), torch.from_numpy(truth), 0.1, 8.0)
    for i in range(3):
        single = median_scaled_metrics(pred[i, 0], truth[i, 0], 0.1, 8.0)
        assert {k: float(v[i]) for k, v in batch.items()} == pytest.approx(single, rel=1e-12)
    assert all(torch.isnan(value[3]) for value in batch.values())
