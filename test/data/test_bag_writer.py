"""A bag is read back by another reader of the format."""

import numpy as np
import pytest
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
