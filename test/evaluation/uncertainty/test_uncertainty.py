"""The uncertainty of images: calibration, ranges, sums, sizes, files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import ComparedImage, DepthPair, evaluate_depth
from monodepth_ros.evaluation.depth_files import read_depth_pairs
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS, evaluate_image
from monodepth_ros.evaluation.report import write_depth_report
from monodepth_ros.evaluation.uncertainty.calibration import LEVELS, within
from monodepth_ros.evaluation.uncertainty.image import UncertaintyMaps, evaluate_uncertainty
from monodepth_ros.evaluation.uncertainty.summary import figures, ranges

PLAIN = PROTOCOLS["plain"]


def normal_errors(count: int) -> np.ndarray:
    """Standard normal, as evenly as ``count`` values can be."""
    return np.asarray(norm.ppf((np.arange(count) + 0.5) / count))


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.5])
def test_a_normal_error_of_log_depth_is_calibrated(factor: float) -> None:
    count, stddev = 20_000, np.random.default_rng(0).uniform(0.05, 0.5, 20_000)
    depth = np.random.default_rng(1).uniform(0.5, 50, count)
    truth = depth * np.exp(stddev * np.random.default_rng(2).permutation(normal_errors(count)))
    shares = np.array(within(depth, truth, factor * stddev)) / count
    expected = 2 * norm.cdf(factor * norm.ppf((1 + np.array(LEVELS)) / 2)) - 1
    np.testing.assert_allclose(shares, expected, atol=1e-4)


def test_intervals_by_hand() -> None:
    """exp(0.1) off with 0.1: one deviation, which is just within 0.6827 and so not within 0.68."""
    counts = within(np.ones(3), np.exp([0.1, 0.09, 0.21]), np.full(3, 0.1))
    assert counts == [0, 0, 0, 0, 0, 0, 1, 2, 2, 2]
    assert LEVELS[6] == 0.68


def one_image(random: np.random.Generator, good: bool) -> DepthPair:
    truth = random.uniform(0.5, 7.9, (40, 60))
    error = random.uniform(-0.3, 0.3, truth.shape)
    error[:, 30] = 0.0
    depth = truth * (1 + error)
    confidence = (1 - np.abs(error) if good else np.abs(error)).astype(np.float32)
    return DepthPair("walk", "a", 1 / depth, truth, maps=UncertaintyMaps(confidence))


def test_figures_of_good_and_of_inverted_confidence() -> None:
    protocol = PLAIN.adapted("none")
    good, bad = (
        evaluate_depth([one_image(np.random.default_rng(0), g)], protocol).summary()
        for g in (True, False)
    )
    assert good["ause_abs_rel"] == pytest.approx(0, abs=1e-6)
    assert good["aurg_abs_rel"] == pytest.approx(0.5, abs=0.02)
    assert bad["aurg_abs_rel"] == pytest.approx(-0.5, abs=0.02)
    assert good["aurg_not_a1"] > 0.5 > 0 > bad["aurg_not_a1"]
    assert good["aurg_rmse"] > 0 > bad["aurg_rmse"]
    assert np.isnan(good["within_68"]) and np.isnan(good["within_95"])
    plain = evaluate_depth([DepthPair("walk", "a", np.ones((4, 4)), np.ones((4, 4)))], PLAIN)
    assert "aurg_abs_rel" not in plain.summary()


def test_summary_is_the_mean_over_images() -> None:
    pairs = [one_image(np.random.default_rng(k), k % 2 == 0) for k in range(4)]
    each = [evaluate_depth([pair], PLAIN).summary()["aurg_abs_rel"] for pair in pairs]
    assert evaluate_depth(pairs, PLAIN).summary()["aurg_abs_rel"] == pytest.approx(np.mean(each))


def test_ranges_are_octaves_of_the_truth() -> None:
    truth = np.array([0.6, 1.0, 1.5, 2.0, 3.9, 4.0])
    depth = truth * np.array([1.1, 1.0, 1.2, 0.9, 1.0, 1.5])
    maps = UncertaintyMaps(None, np.array([[0.1, 0.1, 0.1, 0.06, np.nan, 0.3]]))
    found = evaluate_uncertainty(depth, truth, maps, np.ones((1, 6), bool))
    assert found is not None
    assert [(part.near, part.pixels, part.rated) for part in found.ranges] == [
        (0.5, 1, 1), (1.0, 2, 2), (2.0, 2, 1), (4.0, 1, 1),
    ]  # fmt: skip
    table = ranges([found, found])
    assert list(table) == ["0.5-1 m", "1-2 m", "2-4 m", "4-8 m"]
    assert table["1-2 m"]["share"] == pytest.approx(2 / 6)
    assert table["1-2 m"]["abs_rel"] == pytest.approx(0.1)
    assert table["1-2 m"]["within_68"] == pytest.approx(0.5)  # log 1.2 is 0.18
    assert table["2-4 m"]["within_68"] == 0  # log 0.9 is -0.105, 1.75 times 0.06
    assert table["2-4 m"]["within_95"] == 1
    assert np.isnan(table["2-4 m"]["aurg_abs_rel"])  # of two pixels there is no curve
    assert figures([found])["within_95"] == pytest.approx(5 / 5)


def test_stored_as_json_it_is_the_same() -> None:
    result = evaluate_image(*image_with_stddev(), PLAIN, maps=UncertaintyMaps(None, STDDEV))
    stored = ComparedImage("walk", "a", result)
    assert ComparedImage.of_json(json.loads(json.dumps(asdict(stored)))) == stored
    assert result is not None and result.uncertainty is not None


STDDEV = np.full((20, 30), 0.2, np.float32)


def image_with_stddev() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    truth = random.uniform(1, 4, (20, 30))
    return 1 / (truth * np.exp(0.2 * random.standard_normal(truth.shape))), truth


def test_maps_of_another_size_are_resized() -> None:
    disparity, truth = image_with_stddev()
    ramp = np.tile(np.arange(15, dtype=np.float32), (10, 1))
    found = evaluate_image(disparity, truth, PLAIN, maps=UncertaintyMaps(ramp))
    columns = np.tile(np.clip((np.arange(30) + 0.5) / 2 - 0.5, 0, 14), (20, 1)).astype(np.float32)
    expected = evaluate_image(disparity, truth, PLAIN, maps=UncertaintyMaps(columns))
    assert found == expected


def test_unknown_confidence_counts_as_the_lowest() -> None:
    disparity, truth = image_with_stddev()
    random = np.random.default_rng(0).random(truth.shape).astype(np.float32)
    unknown, lowest = random.copy(), random.copy()
    unknown[:5], lowest[:5] = np.nan, -1
    one, other = (
        evaluate_image(disparity, truth, PLAIN, maps=UncertaintyMaps(c)) for c in (unknown, lowest)
    )
    assert one == other


def test_after_scale_and_shift_a_stddev_only_ranks() -> None:
    maps = UncertaintyMaps(None, STDDEV * np.linspace(0.5, 1.5, 30, dtype=np.float32))
    result = evaluate_image(*image_with_stddev(), PLAIN.adapted("affine"), maps=maps)
    assert result is not None and result.uncertainty is not None
    found = figures([result.uncertainty])
    assert np.isnan(found["within_68"]) and np.isfinite(found["aurg_abs_rel"])


def test_files_beside_predictions(tmp_path: Path) -> None:
    disparity, truth = image_with_stddev()
    pred, gt = tmp_path / "pred", tmp_path / "gt"
    for folder in (pred, gt):
        folder.mkdir()
    for name, depth in (("a_depth", 1 / disparity), ("b", 1 / disparity)):
        np.save(pred / f"{name}.npy", depth.astype(np.float32))
        np.save(gt / f"{name}.npy", truth)
    with pytest.raises(UserError, match=r"no NAME_confidence\.npy"):
        read_depth_pairs(pred, gt, PLAIN, uncertainty=True)
    confidence = np.random.default_rng(0).random(truth.shape).astype(np.float32)
    np.save(pred / "a_confidence.npy", confidence)
    relative = np.random.default_rng(1).uniform(0.19, 0.21, truth.shape).astype(np.float32)
    np.save(pred / "b_stddev.npy", (relative / disparity).astype(np.float32))
    evaluation = evaluate_depth(read_depth_pairs(pred, gt, PLAIN, uncertainty=True), PLAIN)
    assert [image.name for image in evaluation.images] == ["a_depth", "b"]
    of_a, of_b = evaluation.uncertainties
    depth32 = 1 / (1 / disparity).astype(np.float32)
    for found, maps in (
        (of_a, UncertaintyMaps(confidence)),
        (of_b, UncertaintyMaps(None, relative)),
    ):
        expected = evaluate_image(depth32, truth, PLAIN, maps=maps)
        assert expected is not None and expected.uncertainty is not None
        assert found.curves["abs_rel"] == pytest.approx(expected.uncertainty.curves["abs_rel"])
    assert figures([of_b])["within_68"] == pytest.approx(0.68, abs=0.06)
    assert evaluate_depth(read_depth_pairs(pred, gt, PLAIN), PLAIN).uncertainties == []


def test_report_has_figures_and_plots(tmp_path: Path) -> None:
    disparity, truth = image_with_stddev()
    pair = DepthPair("walk", "a", disparity, truth, maps=UncertaintyMaps(None, STDDEV))
    write_depth_report(tmp_path, evaluate_depth([pair], PLAIN))
    for name in ("sparsification.png", "calibration.png"):
        assert (tmp_path / name).stat().st_size > 1000
    stored = json.loads((tmp_path / "uncertainty.json").read_text())
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert stored["aurg_abs_rel"] == metrics["aurg_abs_rel"]
    assert len(stored["removed"]) == len(stored["curves"]["rmse"]["oracle"]) == 50
    assert stored["share_within"][LEVELS.index(0.68)] == stored["within_68"]
    assert list(stored["ranges"]) == ["1-2 m", "2-4 m"]
