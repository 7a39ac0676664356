"""Which bags of a folder can be learnt from."""

import os
import time
from pathlib import Path

from monodepth_ros.data.finished_bags import finished_bags


def bag(folder: Path, name: str, whole: bool = True, age: float = 0.0) -> Path:
    path = folder / name
    path.mkdir()
    file = path / f"{name}_0.mcap"
    file.write_bytes(b"\x89MCAP0\r\n")
    if whole:
        (path / "metadata.yaml").write_text("rosbag2_bagfile_information: {}\n")
    os.utime(file, (time.time() - age, time.time() - age))
    return path


def test_finished_bags_of_a_prefix_oldest_first(tmp_path: Path) -> None:
    assert finished_bags(tmp_path / "none", "robot") == []
    second, first = bag(tmp_path, "robot_20260102"), bag(tmp_path, "robot_20260101")
    bag(tmp_path, "other_20260103")
    (tmp_path / "robot_notes").mkdir()
    assert finished_bags(tmp_path, "robot") == [first, second]
    assert finished_bags(tmp_path, "robot", newest=1) == [second]


def test_a_bag_that_is_being_written_waits_and_a_cut_off_one_counts(tmp_path: Path) -> None:
    bag(tmp_path, "robot_20260101", whole=False)
    cut_off = bag(tmp_path, "robot_20260102", whole=False, age=60.0)
    assert finished_bags(tmp_path, "robot") == [cut_off]
