"""Protocols: which pixels count, in which order prediction is resized, scaled and clamped."""

import dataclasses

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import depth_metrics
from monodepth_ros.evaluation.depth_protocol import (
    CITYSCAPES_CROP,
    EIGEN_NYU_CROP,
    GARG_CROP,
    PROTOCOLS,
    DepthProtocol,
    blend_flipped,
    evaluate_image,
    find_protocol,
)
from monodepth_ros.geometry.image_size import resize_linear


def bounds(mask):
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


@pytest.mark.parametrize(("height", "width"), [(375, 1242), (370, 1224), (374, 1238), (376, 1241)])
def test_garg_crop_truncates_its_edges(height, width):
    expected = (
        int(0.40810811 * height),
        int(0.99189189 * height),
        int(0.03594771 * width),
        int(0.96405229 * width),
    )
    mask = GARG_CROP.mask(height, width)
    assert bounds(mask) == expected
    assert mask.sum() == (expected[1] - expected[0]) * (expected[3] - expected[2])


def test_crops_of_native_sizes():
    assert bounds(EIGEN_NYU_CROP.mask(480, 640)) == (45, 471, 41, 601)
    assert bounds(CITYSCAPES_CROP.mask(768, 2048)) == (256, 768, 192, 1856)
    assert PROTOCOLS["cityscapes"].rows(1024) == 768


def test_masks_of_the_protocols():
    truth = np.full((100, 100), 5.0)
    truth[50, 50:54] = [0, np.nan, 80, 200]
    assert not PROTOCOLS["eigen"].mask(truth)[50, 50:54].any()
    assert PROTOCOLS["eigen-improved"].mask(truth)[50, 50:54].tolist() == [False, False, True, True]
    assert PROTOCOLS["plain"].mask(truth).sum() == 100 * 100 - 2
    assert not PROTOCOLS["nyu"].mask(np.full((480, 640), 10.0)).any()


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_perfect_prediction_of_any_scale(name):
    truth = np.random.default_rng(0).uniform(1, 9, (48, 64))
    result = evaluate_image(1 / (0.02 * truth), truth, PROTOCOLS[name])
    expected = dict(abs_rel=0, sq_rel=0, rmse=0, rmse_log=0, a1=1, a2=1, a3=1)
    assert result.metrics == pytest.approx(expected, abs=1e-12)
    assert result.ratio == pytest.approx(50)
    assert result.missing == 0


def test_prediction_is_clamped_after_scaling_even_where_truth_lies_beyond():
    protocol = PROTOCOLS["eigen-improved"]
    truth = np.array([[10.0, 10.0, 100.0]])
    result = evaluate_image(1 / np.array([[1.0, 1.0, 10.0]]), truth, protocol)
    assert result.metrics == pytest.approx(depth_metrics([10, 10, 80], truth[0]))


@pytest.mark.parametrize(("scaling", "factor"), [("none", 1.0), ("stereo", 5.4)])
def test_fixed_scalings_leave_scale_errors_in(scaling, factor):
    protocol = dataclasses.replace(PROTOCOLS["plain"], scaling=scaling)
    truth = np.full((4, 4), 8.0)
    result = evaluate_image(np.full((4, 4), factor / 10), truth, protocol)
    assert result.metrics["abs_rel"] == pytest.approx(0.25)
    assert result.ratio == pytest.approx(8 * factor / 10)


def test_disparity_and_not_depth_is_resized_with_half_pixel_centres():
    disparity = np.array([[0.2, 1.0]], np.float32)
    expected = [0.2, 0.4, 0.8, 1.0]  # centres at -0.25, 0.25, 0.75, 1.25
    np.testing.assert_allclose(resize_linear(disparity, (1, 4))[0], expected, rtol=1e-6)
    truth = 1 / np.array([expected])
    result = evaluate_image(disparity, truth, PROTOCOLS["plain"])
    assert result.metrics["abs_rel"] == pytest.approx(0, abs=1e-6)


def test_missing_predictions_are_left_out_and_counted():
    truth = np.full((2, 3), 2.0)
    disparity = np.full((2, 3), 0.5)
    disparity[0] = [np.nan, 0, -1]
    result = evaluate_image(disparity, truth, PROTOCOLS["plain"])
    assert (result.pixels, result.missing) == (3, 3)
    assert result.metrics["abs_rel"] == 0


@pytest.mark.parametrize(
    ("disparity", "truth"), [(np.nan, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, np.nan)]
)
def test_image_without_a_comparable_pixel_has_no_figures(disparity, truth):
    shape = (4, 4)
    result = evaluate_image(np.full(shape, disparity), np.full(shape, truth), PROTOCOLS["plain"])
    assert result is None


def test_blend_takes_each_border_from_the_pass_that_sees_beyond_it():
    normal, mirrored = np.full((2, 101), 1.0), np.full((2, 101), 3.0)
    row = blend_flipped(normal, mirrored)[0]
    np.testing.assert_allclose(row[:6], 3)  # up to 5 % of the width
    np.testing.assert_allclose(row[95:], 1)
    np.testing.assert_allclose(row[10:91], 2)  # from 10 % on
    np.testing.assert_allclose(row + row[::-1], 4)
    assert blend_flipped(normal.astype(np.float32), mirrored.astype(np.float32)).dtype == np.float32


def test_blend_equals_its_formula():
    random = np.random.default_rng(0)
    d, f = random.uniform(size=(2, 3, 17))
    out = blend_flipped(d, f)
    for x in range(17):
        left = 1 - min(max(20 * (x / 16 - 0.05), 0), 1)
        right = 1 - min(max(20 * (1 - x / 16 - 0.05), 0), 1)
        expected = right * d[:, x] + left * f[:, x] + (1 - left - right) * (d + f)[:, x] / 2
        np.testing.assert_allclose(out[:, x], expected)


def test_unknown_names_and_empty_ranges_are_refused():
    with pytest.raises(UserError, match="eigen-improved"):
        find_protocol("egien")
    with pytest.raises(UserError, match="scaling"):
        DepthProtocol("own", scaling="mean")
    with pytest.raises(UserError, match="empty"):
        DepthProtocol("own", min_depth=5, max_depth=2)


def test_scale_and_shift_of_inverse_depth_are_aligned_by_least_squares():
    generator = np.random.default_rng(0)
    truth = generator.uniform(1.0, 9.0, (20, 30))
    disparity = (1 / truth - 0.05) / 3.0  # shifted and scaled: no factor makes it right
    plain, affine = PROTOCOLS["plain"], PROTOCOLS["plain"].suited_to("scale_and_shift")
    assert plain.suited_to("scale") is plain and affine.scaling == "affine"
    assert "scale and shift of inverse depth" in affine.describe()
    by_median, aligned = (evaluate_image(disparity, truth, p).metrics for p in (plain, affine))
    assert by_median["abs_rel"] > 0.05 and aligned["abs_rel"] < 1e-6
    assert PROTOCOLS["plain"].adapted("none").suited_to("scale_and_shift").scaling == "none"


def test_what_the_fit_puts_beyond_infinity_is_as_far_as_the_farthest_truth():
    truth = np.array([[1.0, 2.0, 4.0, 8.0]])
    disparity = np.array([[5.0, 5.0, 0.1, 5.0]])
    metrics = evaluate_image(disparity, truth, PROTOCOLS["plain"].adapted("affine")).metrics
    assert all(np.isfinite(value) for value in metrics.values())
