from pathlib import Path

import numpy as np
import pytest
from recordings import write_folder

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError


def test_slices(tmp_path: Path) -> None:
    write_folder(tmp_path / "walk", 8)
    (part,) = open_sequence(f"{tmp_path}/walk@1:7:2")
    assert [part.frame_name(i) for i in range(len(part))] == [f"00000{n}.png" for n in (1, 3, 5)]
    assert len(open_sequence(f"{tmp_path}/walk@3:")[0]) == 5
    assert len(open_sequence(tmp_path / "walk")[0]) == 8


def test_folder_of_recordings(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_folder(tmp_path / name, 3)
    (tmp_path / "notes").mkdir()
    assert [sequence.name for sequence in open_sequence(tmp_path)] == ["a", "b"]
    assert [len(sequence) for sequence in open_sequence(f"{tmp_path}@:2")] == [2, 2]


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such folder"):
        open_sequence(tmp_path / "nowhere")
    with pytest.raises(UserError, match="the folder is empty"):
        open_sequence(tmp_path)
    (tmp_path / "letter.txt").write_text("hello")
    with pytest.raises(UserError, match="no known layout"):
        open_sequence(tmp_path)
    write_folder(tmp_path / "walk", 3)
    with pytest.raises(UserError, match="holds no frame"):
        open_sequence(f"{tmp_path}/walk@5:9")
    with pytest.raises(UserError, match="step"):
        open_sequence(f"{tmp_path}/walk@0:9:0")
    with pytest.raises(UserError, match="sequence folder has no splits"):
        open_sequence(f"{tmp_path}/walk@train")


def test_folder_with_the_sign_of_a_slice_in_its_name(tmp_path: Path) -> None:
    write_folder(tmp_path / "walk@night", 3)
    assert len(open_sequence(tmp_path / "walk@night")[0]) == 3
    assert len(open_sequence(f"{tmp_path}/walk@night@:2")[0]) == 2


def test_real_kitchen(real_data: Path) -> None:
    (kitchen,) = open_sequence(f"{real_data}/7scenes_redkitchen@0:600:1")
    assert len(kitchen) == 600
    assert kitchen.image(599).shape == (480, 640, 3)
    depth = kitchen.depth(0)
    assert depth is not None and 0.5 < np.nanmin(depth) < np.nanmax(depth) < 5
    moved = [np.linalg.norm(kitchen.pose(i + 1)[:3, 3] - kitchen.pose(i)[:3, 3]) for i in range(50)]
    assert 0.003 < np.median(moved) < 0.015  # metres a frame


def test_real_office(real_data: Path) -> None:
    (office,) = open_sequence(real_data / "hololens_office")
    assert len(office) == 240 and office.number(0) == 3
    assert office.image(0).shape == (360, 540, 3)
    assert office.has_depth and office.has_pose and office.stamp_ns(0) is None


def test_real_drive(real_data: Path) -> None:
    (drive,) = open_sequence(real_data / "kitti_odometry_06_gray")
    assert len(drive) == 51 and not drive.has_depth
    image = drive.image(0)
    assert image.shape == (370, 1226, 3) and (image[..., 0] == image[..., 2]).all()
    steps = [np.linalg.norm(drive.pose(i + 1)[:3, 3] - drive.pose(i)[:3, 3]) for i in range(50)]
    assert sum(steps) == pytest.approx(59.9, abs=0.1)
    assert drive.stamp_ns(1) == 104_498_900
