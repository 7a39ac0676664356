"""Topics by type, encoding and count: what their names say does not matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from bag_messages import TYPES, camera_info, depth_image, header, image, make, picture, stamp_of
from rosbags.rosbag2 import StoragePlugin, Writer

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.bags.topics import cameras, image_topics, info_topic, unusable


def compressed(stamp: int, format: str = "jpeg") -> Any:
    data = cv2.imencode(".png" if "png" in format else ".jpg", picture(0))[1].reshape(-1)
    return make(
        "sensor_msgs/msg/CompressedImage", header=header(stamp, "f"), format=format, data=data
    )


def write(path: Path, messages: dict[str, list[Any]]) -> Path:
    with BagWriter(path) as bag:
        for topic, contents in messages.items():
            for number, content in enumerate(contents):
                kind = content.__msgtype__
                data = bytes(TYPES.serialize_cdr(content, kind))
                bag.write(topic, kind, stamp_of(number), data)
    return path


def test_roles(tmp_path: Path) -> None:
    now = stamp_of(0)
    strange = image(now, picture(0))
    strange.encoding = "h264"
    messages = {
        "/depth_camera/color/image": [image(now, picture(0))],
        "/points/z": [depth_image(now, 2.0)],
        "/depth_camera/left/image/compressed": [compressed(now, "rgb8; jpeg compressed bgr8")],
        "/range": [compressed(now, "16UC1; compressedDepth png")],
        "/heat": [compressed(now, "32FC1; png compressed ")],
        "/stream": [strange],
        "/odd": [camera_info(now)],
    }
    with BagFile(write(tmp_path / "bag", messages)) as bag:
        found = image_topics(bag)
    assert {topic.name: topic.role for topic in found} == {
        "/depth_camera/color/image": "camera",
        "/points/z": "depth",
        "/depth_camera/left/image/compressed": "camera",
        "/range": "depth",
        "/heat": "depth",
        "/stream": "unknown",
    }
    assert cameras(found) == [
        "/depth_camera/color/image",
        "/depth_camera/left/image/compressed",
    ]
    assert unusable(found) == ["/stream: encoding 'h264' is not known: left out"]


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_topics_without_messages_are_named_and_not_chosen(
    tmp_path: Path, storage: StoragePlugin
) -> None:
    with Writer(tmp_path / "bag", version=8, storage_plugin=storage) as bag:
        for topic in ("/a/image_raw", "/b/image_raw"):
            bag.add_connection(topic, "sensor_msgs/msg/Image", typestore=TYPES)
        message = compressed(stamp_of(0))
        kind = message.__msgtype__
        connection = bag.add_connection("/a/image_raw/compressed", kind, typestore=TYPES)
        bag.write(connection, stamp_of(0), TYPES.serialize_cdr(message, kind))
    with BagFile(tmp_path / "bag") as opened:
        found = image_topics(opened)
    assert cameras(found) == ["/a/image_raw/compressed"]
    assert unusable(found) == ["/a/image_raw: has no message", "/b/image_raw: has no message"]


def test_raw_images_go_before_compressed_ones_unless_many_lack(tmp_path: Path) -> None:
    raw, small = image(stamp_of(0), picture(0)), compressed(stamp_of(0))
    messages = {
        "/a/image_raw": [raw] * 19,
        "/a/image_raw/compressed": [small] * 20,
        "/b/image_raw": [raw] * 3,
        "/b/image_raw/compressed": [small] * 20,
    }
    with BagFile(write(tmp_path / "bag", messages)) as bag:
        assert cameras(image_topics(bag)) == ["/a/image_raw", "/b/image_raw/compressed"]


def test_damaged_messages_before_a_good_one_do_not_hide_a_camera(tmp_path: Path) -> None:
    path = tmp_path / "bag"
    kind = "sensor_msgs/msg/Image"
    with BagWriter(path) as bag:
        bag.write("/a", kind, stamp_of(0), b"\0\1\0\0damaged")
        data = bytes(TYPES.serialize_cdr(image(stamp_of(1), picture(0)), kind))
        bag.write("/a", kind, stamp_of(1), data)
        bag.write("/b", kind, stamp_of(2), b"\0\1\0\0damaged")
    with BagFile(path) as opened:
        found = image_topics(opened)
    assert cameras(found) == ["/a"] and unusable(found) == ["/b: is damaged: left out"]
    assert [topic.count for topic in found] == [2, 1]


def test_the_camera_info_beside_images() -> None:
    info, image_ = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/Image"
    topics = {"/a/camera_info": info, "/b/camera_info": image_, "/camera_info": info}
    assert info_topic("/a/image_raw", topics) == "/a/camera_info"
    assert info_topic("/a/image_raw/compressedDepth", topics) == "/a/camera_info"
    assert info_topic("/a/image_raw/compressed", topics) == "/a/camera_info"
    assert info_topic("/b/image_raw", topics) is None
    assert info_topic("/image", topics) == "/camera_info"
