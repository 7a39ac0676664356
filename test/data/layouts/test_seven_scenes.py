from pathlib import Path

import numpy as np
import pytest
from recordings import picture, save, sliding_poses

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
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
    (sequence,) = open_sequence(f"{tmp_path}/chess/seq-01@unregistered")
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
    (stored,) = open_sequence(f"{path}@unregistered")
    assert stored.camera.K[1, 1] == 501
    (sequence,) = open_sequence(path)
    assert sequence.camera.K[1, 1] == 525
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


def test_depth_and_poses_are_the_colour_cameras(tmp_path: Path) -> None:
    """The same points in the world, by the depth camera as stored and by the colour camera."""
    path = build(tmp_path / "seq-01")
    (stored,) = open_sequence(f"{path}@unregistered")
    (sequence,) = open_sequence(path)
    assert sequence.camera.K[0, 0] == 525

    def wall_in_world(of: Sequence, row: int, column: int) -> np.ndarray:
        ray = np.linalg.inv(of.camera.K) @ [column, row, 1.0]
        return of.pose(3) @ [*(ray * of.depth(3)[row, column]), 1.0]

    # A wall at one depth: any two points on it lie in one plane, whichever camera saw them.
    normal = stored.pose(3)[:3, 2]
    heights = [wall_in_world(of, 240, 320)[:3] @ normal for of in (stored, sequence)]
    assert heights[1] == pytest.approx(heights[0], abs=0.01)
    corners = [wall_in_world(sequence, row, 320)[:3] @ normal for row in (60, 420)]
    assert corners == pytest.approx([heights[0]] * 2, abs=0.01)
    known = np.isfinite(sequence.depth(3))
    assert 0.6 < known.mean() < 0.9  # the depth camera sees less of the scene


def test_a_slice_of_a_part(tmp_path: Path) -> None:
    path = build(tmp_path / "seq-01")
    (part,) = open_sequence(f"{path}@unregistered@1:3")
    assert len(part) == 2 and part.camera.K[0, 0] == 585
    with pytest.raises(UserError, match="has .*@unregistered alone"):
        open_sequence(f"{path}@raw")
