"""A bag is read back by another reader of the format."""

import numpy as np
import pytest
from mcap.reader import SeekingReader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bag_writer import BagWriter
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
