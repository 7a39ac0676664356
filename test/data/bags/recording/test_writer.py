"""A bag is read back by another reader of the format."""

from importlib.metadata import version

import numpy as np
import pytest
from mcap.reader import SeekingReader
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.errors import UserError

TYPES = get_typestore(Stores.ROS2_HUMBLE)
KIND = "std_msgs/msg/Float64"


def number(value):
    return bytes(TYPES.serialize_cdr(TYPES.types[KIND](data=value), KIND))


def test_messages_come_back_in_order(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for k in range(5):
            bag.write("/a", KIND, 10 * k, number(float(k)))
            bag.write("/b", KIND, 10 * k + 5, number(-float(k)))
    with AnyReader([tmp_path / "bag"]) as reader:
        read = [
            (c.topic, stamp, reader.deserialize(data, c.msgtype).data)
            for c, stamp, data in reader.messages()
        ]
    expected = [x for k in range(5) for x in (("/a", 10 * k, k), ("/b", 10 * k + 5, -k))]
    assert [(t, s, int(v)) for t, s, v in read] == expected
    assert np.isclose(read[2][2], 1.0)
    assert (tmp_path / "bag" / "metadata.yaml").is_file()
    assert list((tmp_path / "bag").glob("*.mcap"))


def test_a_bag_is_not_written_over(tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(UserError, match="exists already"):
        BagWriter(tmp_path / "bag")


def test_another_library_finds_messages_by_the_index(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for k in range(3000):
            bag.write("/a", KIND, 10 * k, number(float(k)))
            bag.write("/large", "std_msgs/msg/String", 10 * k + 1, bytes(4 + 4 + 1000))
            if k % 700 == 0:
                bag.flush()
    with open(tmp_path / "bag/bag.mcap", "rb") as file:
        reader = SeekingReader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary.statistics.message_count == 6000
        assert len(summary.chunk_indexes) == summary.statistics.chunk_count > 3
        found = list(reader.iter_messages(topics=["/a"], starting_at=20000, ending_before=20050))
    assert [message.log_time for _, _, message in found] == [20000, 20010, 20020, 20030, 20040]
    assert found[0][0].name == KIND and found[0][2].data == number(2000.0)


def test_the_librarys_own_writer_would_have_written_the_same(tmp_path):
    """LeanMcapWriter uses internals of rosbags: a version that changes them must fail here."""
    told = f"rosbags {version('rosbags')} is not what lean_mcap.py was written for (0.11)"
    assert version("rosbags").startswith("0.11."), told
    internal = McapWriter.__dict__.keys() & {"write", "close_chunk", "add_msgtype", "close"}
    assert len(internal) == 4 and Writer.STORAGE_PLUGINS[StoragePlugin.MCAP] is McapWriter, told

    summaries, messages = [], []
    with (
        BagWriter(tmp_path / "lean") as lean,
        Writer(tmp_path / "own", version=8, storage_plugin=StoragePlugin.MCAP) as own,
    ):
        known = {t: own.add_connection(t, KIND, typestore=TYPES) for t in ("/a", "/b")}
        for k in range(3):
            for topic, connection in known.items():
                lean.write(topic, KIND, 10 * k, number(float(k)))
                own.write(connection, 10 * k, number(float(k)))
    for name in ("lean", "own"):
        with open(tmp_path / name / f"{name}.mcap", "rb") as file:
            reader = SeekingReader(file, validate_crcs=True)
            summaries.append(reader.get_summary())
            messages.append(
                [
                    (s, c, m.log_time, m.data)
                    for s, c, m in reader.iter_messages(log_time_order=True)
                ]
            )
    first, second = summaries
    assert first.statistics == second.statistics, told
    assert (first.schemas, first.channels) == (second.schemas, second.channels), told
    assert messages[0] == messages[1] and len(messages[0]) == 6, told
