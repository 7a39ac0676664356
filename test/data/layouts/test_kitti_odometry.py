from pathlib import Path

import numpy as np
import pytest
from recordings import WIDTH, picture, save, sliding_poses

from monodepth_ros.data.layouts.kitti_odometry import open_kitti_odometry
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError

K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])


def projection(baseline: float) -> np.ndarray:
    """Of a camera that stands `baseline` metres right of camera 0."""
    return K @ np.hstack([np.eye(3), [[-baseline], [0], [0]]])


def build(root: Path) -> Path:
    path = root / "sequences/04"
    for i in range(3):
        save(picture(i), path / f"image_2/{i:06d}.png")
        save(picture(10 + i)[:, :, 0], path / f"image_1/{i:06d}.png")
    rows = [
        f"P{n}: {' '.join(map(str, projection(b).ravel()))}"
        for n, b in enumerate([0, 0.54, 0.06, 0.6])
    ]
    (path / "calib.txt").write_text("\n".join([*rows, "Tr: 1 0 0 0 0 1 0 0 0 0 1 0"]))
    (path / "times.txt").write_text("0.0\n0.104\n0.207\n0.311\n")
    (root / "poses").mkdir()
    np.savetxt(root / "poses/04.txt", [p[:3].ravel() for p in sliding_poses([0, 1, 2, 3])])
    return path


def test_public_layout(tmp_path: Path) -> None:
    path = build(tmp_path)
    for opened in (tmp_path, path):
        (sequence,) = open_sequence(opened)
        assert sequence.name == "04" and len(sequence) == 3
        np.testing.assert_allclose(sequence.camera.K, K)
        np.testing.assert_array_equal(sequence.image(2), picture(2))
        assert sequence.stamp_ns(1) == 104_000_000
        assert sequence.pose(2)[0, 3] == pytest.approx(2.06)  # camera 2, not camera 0


def test_other_camera(tmp_path: Path) -> None:
    (right,) = open_kitti_odometry(build(tmp_path), "image_1")
    assert right.pose(0)[0, 3] == pytest.approx(0.54)
    assert right.image(0).shape[2] == 3
    with pytest.raises(UserError, match="image_9"):
        open_kitti_odometry(tmp_path, "image_9")


def test_incomplete_files_are_named(tmp_path: Path) -> None:
    path = build(tmp_path)
    poses = tmp_path / "poses/04.txt"
    poses.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    with pytest.raises(UserError, match="04.txt: 1 poses, but there is an image 2"):
        open_sequence(path)
    poses.unlink()
    assert not open_sequence(path)[0].has_pose
    (path / "times.txt").write_text("0\n")
    with pytest.raises(UserError, match="times.txt: 1 times"):
        open_sequence(path)
    (path / "calib.txt").write_text("P2: 1 2 3")
    with pytest.raises(UserError, match="calib.txt: P2 has 3 numbers"):
        open_sequence(path)
    (path / "calib.txt").write_text(f"P2: {' '.join(['60'] * 12)}")
    with pytest.raises(UserError, match=r"calib.txt P2"):
        open_sequence(path)


def test_width_is_that_of_the_images(tmp_path: Path) -> None:
    assert open_sequence(build(tmp_path))[0].camera.width == WIDTH


def test_the_other_camera_of_a_pair_is_the_stereo_partner(tmp_path: Path) -> None:
    path = build(tmp_path)
    (left,) = open_sequence(path)
    assert left.stereo is None  # there is no image_3
    for i in range(3):
        save(picture(20 + i), path / f"image_3/{i:06d}.png")
    (left,) = open_sequence(path)
    assert left.stereo is not None
    np.testing.assert_array_equal(left.stereo.sequence.image(1), picture(21))
    np.testing.assert_allclose(left.stereo.T_partner_camera[:3, 3], [-0.54, 0, 0], atol=1e-12)
