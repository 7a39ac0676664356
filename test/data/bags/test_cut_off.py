"""ROS 1 bags and sqlite3 files whose end is missing, or that their recorder never closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bag_messages import image, make, picture, stamp_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.file import BagFile, is_bag
from monodepth_ros.errors import UserError

ROS1, ROS2 = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_HUMBLE)
MESSAGES = 60
Found = list[tuple[str, int, Any]]


def write_rosbag1(path: Path, compression: Rosbag1Writer.CompressionFormat | None) -> Path:
    """Pictures and short texts by turns, in several chunks."""
    with_seq = ROS1.types["std_msgs/msg/Header"]
    writer = Rosbag1Writer(path)
    writer.chunk_threshold = 10_000
    if compression is not None:
        writer.set_compression(compression)
    with writer:
        pictures = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=ROS1)
        texts = writer.add_connection("/text", "std_msgs/msg/String", typestore=ROS1)
        for number in range(MESSAGES // 2):
            stamp = stamp_of(number)
            seen = image(stamp, picture(number))
            stamped = with_seq(seq=number, stamp=seen.header.stamp, frame_id="camera")
            seen = ROS1.types["sensor_msgs/msg/Image"](**{**vars(seen), "header": stamped})
            writer.write(pictures, stamp, ROS1.serialize_ros1(seen, pictures.msgtype))
            text = make("std_msgs/msg/String", data=f"text {number}")
            writer.write(texts, stamp + 1, ROS1.serialize_ros1(text, texts.msgtype))
    return path


def write_database(path: Path) -> Path:
    """The same in sqlite3; pictures are longer than a page."""
    with Rosbag2Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        pictures = writer.add_connection("/image", "sensor_msgs/msg/Image", typestore=ROS2)
        texts = writer.add_connection("/text", "std_msgs/msg/String", typestore=ROS2)
        for number in range(MESSAGES // 2):
            stamp = stamp_of(number)
            seen = image(stamp, picture(number).repeat(3, axis=0))
            writer.write(pictures, stamp, ROS2.serialize_cdr(seen, pictures.msgtype))
            text = make("std_msgs/msg/String", data=f"text {number}")
            writer.write(texts, stamp + 1, ROS2.serialize_cdr(text, texts.msgtype))
    (file,) = path.glob("*.db3")
    return file


@pytest.fixture(scope="module", params=["none", "bz2", "lz4", "sqlite3"])
def bag(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bags")
    if request.param == "sqlite3":
        return write_database(folder / "bag")
    formats = {f.name.lower(): f for f in Rosbag1Writer.CompressionFormat}
    return write_rosbag1(folder / "bag.bag", formats.get(request.param))


def read(path: Path) -> tuple[Found, list[str]]:
    with BagFile(path) as opened:
        found = [
            (m.topic, m.stamp, m.content.data.tobytes() if m.topic == "/image" else m.content.data)
            for m in opened.messages()
        ]
        return found, opened.problems


def test_cut_off_anywhere_every_whole_message_is_read(bag: Path, tmp_path: Path) -> None:
    whole, problems = read(bag)
    assert len(whole) == MESSAGES and problems == []
    content, cut = bag.read_bytes(), tmp_path / f"cut{bag.suffix}"
    numbers = []
    for share in (0.99, 0.9, 0.7, 0.5):
        cut.write_bytes(content[: int(share * len(content))])
        found, problems = read(cut)
        assert found == whole[: len(found)]
        assert ["last complete message" in problem for problem in problems] == [True]
        # Compressed chunks hold six pictures; the databases's last pages are its index.
        assert len(found) > share * MESSAGES - 14
        numbers.append(len(found))
    assert numbers == sorted(numbers, reverse=True) and numbers[-1] < MESSAGES


def test_a_cut_off_bag_can_be_asked_for_one_topic(bag: Path, tmp_path: Path) -> None:
    cut = tmp_path / f"cut{bag.suffix}"
    cut.write_bytes(bag.read_bytes()[: int(0.8 * bag.stat().st_size)])
    with BagFile(cut) as opened:
        assert opened.topics == {"/image": "sensor_msgs/msg/Image", "/text": "std_msgs/msg/String"}
        texts = [m.content.data for m in opened.messages({"/text"})]
    assert texts == [f"text {number}" for number in range(len(texts))] and len(texts) > 15


def test_without_its_beginning_it_is_refused(bag: Path, tmp_path: Path) -> None:
    cut = tmp_path / f"cut{bag.suffix}"
    for content in (bag.read_bytes()[:200], bag.read_bytes()[5000:], b""):
        cut.write_bytes(content)
        with pytest.raises(UserError, match=cut.name):
            BagFile(cut)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_cut_off_and_damaged_bytes_never_crash_it(bag: Path, data: st.DataObject) -> None:
    content = bytearray(bag.read_bytes()[: int(0.8 * bag.stat().st_size)])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    damaged = bag.parent / f"damaged{bag.suffix}"
    damaged.write_bytes(bytes(content))
    try:
        found, _ = read(damaged)
    except UserError:
        return
    assert len(found) <= MESSAGES


def test_a_bag_that_is_still_called_active(tmp_path: Path) -> None:
    content = write_rosbag1(tmp_path / "closed.bag", None).read_bytes()
    left = tmp_path / "drive.bag.active"
    left.write_bytes(content[: len(content) // 2])
    found, problems = read(left)
    assert is_bag(left) and found and "last complete message" in problems[0]


def test_what_a_killed_recorder_had_not_merged(tmp_path: Path) -> None:
    """Rosbag2's resilient preset writes ahead to a second file, which a kill leaves behind."""
    left = write_database(tmp_path / "bag")
    program = f"""
import sqlite3, time
database = sqlite3.connect({str(left)!r})
database.execute("PRAGMA journal_mode=WAL")
database.execute("INSERT INTO messages (topic_id, timestamp, data)"
                 " SELECT topic_id, timestamp + 1000000000000, data FROM messages")
database.commit()
print("written", flush=True)
time.sleep(600)
"""
    recorder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert recorder.stdout is not None and recorder.stdout.readline() == b"written\n"
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.wait()
    before = {file.name: file.read_bytes() for file in left.parent.iterdir()}
    assert "bag.db3-wal" in before
    found, problems = read(left)
    assert len(found) == 2 * MESSAGES and problems == []
    assert {file.name: file.read_bytes() for file in left.parent.iterdir()} == before
