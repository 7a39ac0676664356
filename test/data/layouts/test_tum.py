from pathlib import Path

import numpy as np
import pytest
from recordings import picture, save

from monodepth_ros.data.layouts.tum import nearest_in_time
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError


def build(path: Path, count: int = 4) -> Path:
    images, depths, poses = ["# color images"], ["# depth maps"], ["# tx ty tz qx qy qz qw"]
    for i in range(count):
        stamp = 1305031102.0 + i / 30
        save(picture(i, 640, 480), path / f"rgb/{stamp:.6f}.png")
        images.append(f"{stamp:.6f} rgb/{stamp:.6f}.png")
        if i != 2:  # a depth map that was lost
            late = stamp + 0.012
            save(np.full((480, 640), 5000 * (i + 1), np.uint16), path / f"depth/{late:.6f}.png")
            depths.append(f"{late:.6f} depth/{late:.6f}.png")
        for k in range(3):
            poses.append(f"{stamp + k / 90:.4f} {i} {k} 0 0 0 0.70710678 0.70710678")
    (path / "rgb.txt").write_text("\n".join(images) + "\n")
    (path / "depth.txt").write_text("\n".join(depths) + "\n")
    (path / "groundtruth.txt").write_text("\n".join(poses) + "\n")
    return path


def test_layout(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build(tmp_path / "rgbd_dataset_freiburg3_desk"))
    assert len(sequence) == 4
    np.testing.assert_array_equal(sequence.image(1), picture(1, 640, 480))
    assert sequence.depth(1)[0, 0] == 2.0 and sequence.depth(3)[0, 0] == 4.0
    assert sequence.depth(2) is None
    np.testing.assert_allclose(sequence.pose(3)[:3, 3], [3, 0, 0])
    np.testing.assert_allclose(sequence.pose(3)[:3, :2], [[0, -1], [1, 0], [0, 0]], atol=1e-7)
    assert sequence.stamp_ns(1) == pytest.approx(1305031102033333000, abs=1000)
    assert sequence.camera.K[0, 0] == 535.4 and not sequence.camera.distorted


def test_lists_of_an_editor_that_puts_a_byte_order_mark(tmp_path: Path) -> None:
    path = build(tmp_path / "kitchen")
    for name in ("rgb.txt", "depth.txt", "groundtruth.txt"):
        file = path / name
        file.write_text("\ufeff" + file.read_text(), encoding="utf-8")
    (sequence,) = open_sequence(path)
    assert len(sequence) == 4 and sequence.depth(1)[0, 0] == 2.0 and sequence.pose(3) is not None


def test_camera_goes_by_the_name(tmp_path: Path) -> None:
    (first,) = open_sequence(build(tmp_path / "rgbd_dataset_freiburg1_xyz", 1))
    assert first.camera.distorted and first.camera.K[0, 2] == 318.6
    (unknown,) = open_sequence(build(tmp_path / "kitchen", 1))
    assert unknown.camera.K[0, 0] == 525.0
    (tmp_path / "kitchen/K.txt").write_text("500 0 320\n0 500 240\n0 0 1\n")
    assert open_sequence(tmp_path / "kitchen")[0].camera.K[0, 0] == 500.0


def test_odd_lists_are_named(tmp_path: Path) -> None:
    path = build(tmp_path / "kitchen")
    (path / "depth.txt").write_text("1305031102.0\n")
    with pytest.raises(UserError, match="depth.txt line 1: expected 'stamp file'"):
        open_sequence(path)
    (path / "depth.txt").unlink()
    assert not open_sequence(path)[0].has_depth
    (path / "groundtruth.txt").write_text("1305031102.0 1 2 3\n")
    with pytest.raises(UserError, match="groundtruth.txt line 1: 4 numbers, expected 8"):
        open_sequence(path)
    (path / "rgb.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="rgb.txt: the list is empty"):
        open_sequence(path)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_nearest_in_time_equals_a_search(count: int) -> None:
    rng = np.random.default_rng(count)
    stamps, others = rng.integers(0, 100, 50), np.sort(rng.integers(0, 100, count))
    nearest = nearest_in_time(list(range(count)), others, stamps, limit=9)
    for stamp, found in zip(stamps, nearest, strict=True):
        distance = np.abs(others - stamp)
        if found is None:
            assert distance.min() > 9
        else:
            assert distance[found] == distance.min() <= 9
