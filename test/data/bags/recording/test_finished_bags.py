"""Which bags of a folder can be learnt from."""

import os
import time
from pathlib import Path

from monodepth_ros.data.bags.recording.marked_bags import MarkedBagWriter, finished_bags
from monodepth_ros.data.bags.recording.writer import BagWriter


def recorded(folder: Path, name: str, prefix: str, snapshot: bool = False) -> Path:
    MarkedBagWriter(folder / name, "/recorder_node", prefix, snapshot).close()
    return folder / name


def test_marks_not_names_tell_and_their_numbers_not_clocks_order(tmp_path: Path) -> None:
    assert finished_bags(tmp_path / "none", "robot") == ([], [])
    later_clock = recorded(tmp_path, "robot_20260102_000000_9", "robot")
    earlier_clock = recorded(tmp_path, "robot_19700101_000000_10", "robot")
    recorded(tmp_path, "robot_left_20260101_000000_1", "robot_left")
    recorded(tmp_path, "robot_20260103_000000_snapshot", "robot", snapshot=True)
    recorded(tmp_path, "robot_20260103_000000_snapshot_2", "robot", snapshot=True)
    BagWriter(tmp_path / "robot_20260104_000000_1").close()  # somebody else's
    (tmp_path / "robot_notes").mkdir()
    found = finished_bags(tmp_path, "robot")
    assert found.bags == [later_clock, earlier_clock]
    assert found.left_out == ["2 snapshots", "1 without a recorder's mark"]
    assert finished_bags(tmp_path, "robot", newest=1).bags == [earlier_clock]


def test_a_bag_that_is_being_written_waits_and_a_cut_off_one_counts(tmp_path: Path) -> None:
    writer = MarkedBagWriter(tmp_path / "robot_1", "/recorder_node", "robot")
    assert finished_bags(tmp_path, "robot") == ([], ["1 being written"])
    writer.abandon()
    assert not (tmp_path / "robot_1" / "metadata.yaml").exists()
    assert finished_bags(tmp_path, "robot") == ([tmp_path / "robot_1"], [])


def test_an_empty_prefix_takes_every_bag(tmp_path: Path) -> None:
    marked = recorded(tmp_path, "a", "robot")
    BagWriter(tmp_path / "b").close()
    under_way = tmp_path / "c" / "c_0.mcap"
    under_way.parent.mkdir()
    under_way.touch()
    assert finished_bags(tmp_path, "") == ([tmp_path / "b", marked], ["1 being written"])
    os.utime(under_way, (time.time() - 60.0,) * 2)
    assert finished_bags(tmp_path, "") == ([tmp_path / "b", tmp_path / "c", marked], [])
