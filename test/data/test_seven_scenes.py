from pathlib import Path

import numpy as np
import pytest
from recordings import picture, save, sliding_poses

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError


def build(path: Path, numbers: tuple[int, ...] = (0, 1, 2, 7)) -> Path:
    for n in numbers:
        save(picture(n, 640, 480), path / f"frame-{n:06d}.color.png")
        truth = np.full((480, 640), 2345, np.uint16)
        truth[0, :2] = 0, 65535
        save(truth, path / f"frame-{n:06d}.depth.png")
        np.savetxt(path / f"frame-{n:06d}.pose.txt", sliding_poses([n])[0])
    return path


def test_layout(tmp_path: Path) -> None:
    build(tmp_path / "chess/seq-01")
    (sequence,) = open_sequence(tmp_path / "chess")
    assert sequence.name == "seq-01" and len(sequence) == 4
    np.testing.assert_array_equal(sequence.camera.K, [[585, 0, 320], [0, 585, 240], [0, 0, 1]])
    np.testing.assert_array_equal(sequence.image(1), picture(1, 640, 480))
    depth = sequence.depth(3)
    assert np.isnan(depth[0, :2]).all() and depth[1, 0] == np.float32(2.345)
    assert sequence.pose(3)[0, 3] == 7
    assert sequence.stamp_ns(3) - sequence.stamp_ns(2) == pytest.approx(5e9 / 30, rel=1e-6)


def test_own_intrinsics_and_lost_poses(tmp_path: Path) -> None:
    path = build(tmp_path / "seq-01")
    (path / "camera-intrinsics.txt").write_text("500 0 300\n0 501 200\n0 0 1\n")
    np.savetxt(path / "frame-000001.pose.txt", np.full((4, 4), -np.inf))
    (path / "frame-000002.pose.txt").unlink()
    (sequence,) = open_sequence(path)
    assert sequence.camera.K[1, 1] == 501
    assert sequence.pose(1) is None and sequence.pose(2) is None and sequence.has_pose


def test_odd_names_and_poses_are_named(tmp_path: Path) -> None:
    path = build(tmp_path / "seq-01")
    (path / "frame-000001.pose.txt").write_text("1 0 0 0")
    with pytest.raises(UserError, match="frame-000001.pose.txt: 4 numbers"):
        open_sequence(path)
    (path / "frame-000001.pose.txt").unlink()
    save(picture(0), path / "frame-last.color.png")
    with pytest.raises(UserError, match="frame-last.color.png"):
        open_sequence(path)
