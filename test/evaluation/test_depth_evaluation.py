"""A data set's depth figures: sums, skips, files, the constant baseline."""

import numpy as np
import pytest
from PIL import Image

from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair, evaluate_depth
from monodepth_ros.evaluation.depth_files import depth_files, read_depth, read_depth_pairs
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS
from monodepth_ros.evaluation.mean_maps import mean_depth_map
from monodepth_ros.geometry.camera import PinholeCamera

PLAIN = PROTOCOLS["plain"]


def pair(name, factor, error=0.0, sequence="walk"):
    truth = np.random.default_rng(len(name)).uniform(1, 5, (6, 8))
    depth = truth / factor
    depth.flat[truth.argmax()] *= 1 + error  # the farthest pixel: the median stays
    return DepthPair(sequence, name, 1 / depth, truth)


def write_folder(path, depths):
    height, width = depths[0].shape
    camera = PinholeCamera.from_focal_length(
        width, height, fx=20.0, fy=20.0, cx=width / 2, cy=height / 2
    )
    with SequenceWriter(path, camera, fps=10, image_format="png") as writer:
        for depth in depths:
            writer.add(np.zeros((height, width, 3), np.uint8), depth.astype(np.float32))
    return FolderSequence(path)


def test_summary_is_the_mean_over_images_of_all_sequences():
    pairs = [pair("a", 2.0, 0.3), pair("b", 4.0), pair("c", 3.0, sequence="other")]
    evaluation = evaluate_depth(pairs, PLAIN)
    summary = evaluation.summary()
    assert list(summary) == [
        *("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"),
        *("images", "median_ratio", "std_ratio"),
    ]
    assert summary["images"] == 3
    assert summary["abs_rel"] == pytest.approx(0.3 / 48 / 3)
    assert summary["median_ratio"] == pytest.approx(3)
    assert summary["std_ratio"] == pytest.approx(np.std([2, 4, 3]) / 3)
    assert {name: len(images) for name, images in evaluation.sequences.items()} == {
        "walk": 2,
        "other": 1,
    }


def test_images_that_cannot_be_compared_are_skipped_by_name_and_do_not_count():
    empty = DepthPair("walk", "empty", np.ones((2, 2)), np.full((2, 2), np.nan))
    unread = DepthPair("walk", "unread", problem="unread.png: truncated")
    evaluation = evaluate_depth([pair("a", 2.0), empty, unread], PLAIN)
    assert evaluation.skipped == [
        ("empty", "no valid pixel"),
        ("unread", "unread.png: truncated"),
    ]
    assert evaluation.summary()["images"] == 1
    with pytest.raises(UserError, match=r"2 skipped, the first: empty: no valid pixel"):
        evaluate_depth([empty, unread], PLAIN).summary()
    with pytest.raises(UserError, match="0 skipped"):
        evaluate_depth([], PLAIN).summary()


def test_missing_fraction_counts_pixels_without_prediction():
    one = pair("a", 1.0)
    one.disparity[:3] = np.nan
    assert evaluate_depth([one], PLAIN).missing_fraction == pytest.approx(0.5)


def save_png(path, metres, scale):
    Image.fromarray(np.round(metres * scale).astype(np.uint16)).save(path)


def test_files_pair_by_name_and_sizes_meet_in_disparity(tmp_path):
    pred, gt = tmp_path / "pred", tmp_path / "gt"
    pred.mkdir()
    gt.mkdir()
    truth = np.linspace(1, 4, 48).reshape(6, 8)
    np.save(pred / "a.npy", (truth / 2).astype(np.float32)[None])
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(pred / "a.png")  # its preview
    save_png(gt / "a.png", truth, 1000)
    np.save(pred / "b.npy", np.full((3, 4), 0.5, np.float32))
    np.save(gt / "b.npy", np.full((6, 8), 7.0))
    np.save(gt / "c.npy", truth)
    evaluation = evaluate_depth(read_depth_pairs(pred, gt, PLAIN), PLAIN)
    assert [image.name for image in evaluation.images] == ["a", "b"]
    assert evaluation.skipped == [("c", "no prediction of that name")]
    assert evaluation.summary()["abs_rel"] == pytest.approx(0, abs=3e-4)
    assert [image.ratio for image in evaluation.images] == pytest.approx([2, 14], rel=1e-3)


def test_files_may_hold_disparity(tmp_path):
    truth = np.linspace(1, 4, 48).reshape(6, 8)
    for name, array in (("pred", 1 / truth), ("gt", truth)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", array)
    pairs = read_depth_pairs(tmp_path / "pred", tmp_path / "gt", PLAIN, True)
    assert evaluate_depth(pairs, PLAIN).summary()["abs_rel"] == pytest.approx(0, abs=1e-12)


def test_kitti_png_has_256_units_to_the_metre_and_zero_is_invalid(tmp_path):
    save_png(tmp_path / "a.png", np.array([[0.0, 1.5], [80.25, 3.0]]), 256)
    depth = read_depth(tmp_path / "a.png", PROTOCOLS["eigen-improved"].png_scale)
    np.testing.assert_array_equal(depth, np.array([[np.nan, 1.5], [80.25, 3.0]]))


def test_cityscapes_cuts_a_prediction_of_the_full_view_only(tmp_path):
    protocol = PROTOCOLS["cityscapes"]
    truth = np.random.default_rng(0).uniform(2, 50, (32, 64))
    for folder, array in (("full", truth), ("kept", truth[:24]), ("gt", truth)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "a.npy", array)
    for folder in ("full", "kept"):
        pairs = read_depth_pairs(tmp_path / folder, tmp_path / "gt", protocol)
        evaluation = evaluate_depth(pairs, protocol)
        assert evaluation.summary()["abs_rel"] == pytest.approx(0, abs=1e-12)
        assert evaluation.images[0].pixels == (24 - 8) * (58 - 6)


@pytest.mark.parametrize(
    "content",
    [b"", b"not an array", np.zeros((2, 3, 4)), np.zeros((0, 4)), np.zeros((2, 2), np.int64)],
)
def test_file_that_is_no_depth_is_named(tmp_path, content):
    path = tmp_path / "a.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(UserError, match="a.npy"):
        read_depth(path, 1000)


def test_pickled_array_is_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="a.npy"):
        read_depth(tmp_path / "a.npy", 1000)


def test_colour_picture_is_no_depth(tmp_path):
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="a.png"):
        read_depth(tmp_path / "a.png", 1000)


def test_folders_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match="absent"):
        depth_files(tmp_path / "absent")
    (tmp_path / "gt").mkdir()
    with pytest.raises(UserError, match="no .npy or .png"):
        depth_files(tmp_path / "gt")
    (tmp_path / "pred").mkdir()
    np.save(tmp_path / "gt" / "a.npy", np.ones((2, 2)))
    np.save(tmp_path / "pred" / "b.npy", np.ones((2, 2)))
    with pytest.raises(UserError, match="'b' and 'a'"):
        list(read_depth_pairs(tmp_path / "pred", tmp_path / "gt", PLAIN))


def test_mean_depth_map_averages_valid_depths_of_each_pixel(tmp_path):
    first, second = np.full((24, 32), 1.0), np.full((24, 32), 4.0)
    first[0, 0] = second[0, 0] = np.nan
    first[0, 1] = np.nan
    mean = mean_depth_map([write_folder(tmp_path / "walk", [first, second])])
    assert np.isnan(mean[0, 0])
    assert mean[0, 1] == 4
    np.testing.assert_allclose(mean[1:], 2.5)


def test_mean_depth_map_leaves_out_unreadable_frames(tmp_path):
    sequence = write_folder(tmp_path / "walk", [np.full((24, 32), d) for d in (1.0, 2.0, 3.0)])
    (tmp_path / "walk" / "depth" / "000001.png").write_bytes(b"damaged")
    np.testing.assert_allclose(mean_depth_map([sequence]), 2.0)


def test_mean_depth_map_needs_depths_of_one_size(tmp_path):
    a = write_folder(tmp_path / "a", [np.ones((24, 32))])
    b = write_folder(tmp_path / "b", [np.ones((12, 32))])
    with pytest.raises(UserError, match="32x12"):
        mean_depth_map([a, b])
    with pytest.raises(UserError, match="no true depth"):
        mean_depth_map([])
