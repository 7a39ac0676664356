"""Bags that are whole, split, compressed, cut off, damaged, or none at all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import zstandard
from bag_messages import FRAMES, write_drive
from hypothesis import given, settings
from hypothesis import strategies as st

from monodepth_ros.data.bags.file import BagFile, is_bag
from monodepth_ros.data.bags.parts import modern_type
from monodepth_ros.errors import UserError


def counts(path: Path) -> tuple[Counter[str], list[str]]:
    with BagFile(path) as bag:
        return Counter(message.topic for message in bag.messages()), bag.problems


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("bags") / "drive")


def test_a_whole_bag(drive: Path) -> None:
    found, problems = counts(drive)
    assert problems == []
    assert found["/front/image_raw"] == FRAMES and found["/odom"] == 2 * FRAMES
    assert is_bag(drive) and not is_bag(drive.parent)


def test_without_metadata_and_with_a_split_that_is_gone(drive: Path, tmp_path: Path) -> None:
    (file,) = drive.glob("*.mcap")
    bag = tmp_path / "bag"
    bag.mkdir()
    for number in (10, 9):
        (bag / f"bag_{number}.mcap").write_bytes(file.read_bytes())
    found, problems = counts(bag)
    assert found["/front/image_raw"] == 2 * FRAMES and problems == []
    (bag / "metadata.yaml").write_text(
        "rosbag2_bagfile_information: {relative_file_paths: [bag_8.mcap, bag_9.mcap, bag_10.mcap]}"
    )
    assert ["bag_8.mcap" in problem for problem in counts(bag)[1]] == [True]
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: {relative_")  # power cut
    assert counts(bag)[0] == found


def test_a_compressed_file(drive: Path, tmp_path: Path) -> None:
    (file,) = drive.glob("*.mcap")
    packed = tmp_path / "bag_0.mcap.zstd"
    packed.write_bytes(zstandard.ZstdCompressor().compress(file.read_bytes()))
    assert counts(packed) == counts(drive)


def test_cut_off_anywhere_it_reads_what_is_whole(drive: Path, tmp_path: Path) -> None:
    (file,) = drive.glob("*.mcap")
    content = file.read_bytes()
    whole = sum(counts(drive)[0].values())
    for share in (0.999, 0.8, 0.4):
        cut = tmp_path / "cut.mcap"
        cut.write_bytes(content[: int(share * len(content))])
        try:
            found, problems = counts(cut)
        except UserError as error:
            assert "last complete chunk" in str(error)
        else:
            assert sum(found.values()) <= whole and "last complete chunk" in problems[0]
    cut.write_bytes(content[: len(content) - 100])  # into the summary alone
    assert sum(counts(cut)[0].values()) == whole


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_crash_it(drive: Path, data: st.DataObject) -> None:
    (file,) = drive.glob("*.mcap")
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    damaged = drive.parent / "damaged.mcap"
    damaged.write_bytes(bytes(content))
    whole = counts(drive)[0]
    try:
        found, _ = counts(damaged)
    except UserError:
        return
    assert all(number <= whole.get(topic, number) for topic, number in found.items())


def test_what_is_no_bag(tmp_path: Path) -> None:
    (tmp_path / "a.mcap").write_bytes(b"no bag at all")
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V2.0\n")
    (tmp_path / "a.db3").write_bytes(b"SQLite format 3\0")
    for name in ("a.mcap", "a.bag", "a.db3"):
        with pytest.raises(UserError, match=name):
            BagFile(tmp_path / name)
    with pytest.raises(UserError, match="no such bag"):
        BagFile(tmp_path / "b.mcap")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no bag file"):
        BagFile(tmp_path / "empty")


def test_types_by_their_old_names() -> None:
    assert modern_type("sensor_msgs/Image") == "sensor_msgs/msg/Image"
    assert modern_type("sensor_msgs/msg/Image") == "sensor_msgs/msg/Image"


def test_every_real_bag_reads(real_data: Path) -> None:
    folder = real_data / "rosbags"
    expected = {
        "aruco_images.bag": 16,
        "nav2_turtlebot.mcap": 8197,
        "soccer_goal_12.mcap": 2,  # zstd message by message, types by their old names
        "tf_example.bag": 518,
        "tf_example": 518,
    }
    for name, number in expected.items():
        found, problems = counts(folder / name)
        assert (sum(found.values()), problems) == (number, []), name
