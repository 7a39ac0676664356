"""The recorder on real DDS: all that was sent is in the bag, also after a kill."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from std_msgs.msg import String
from std_srvs.srv import Trigger
from viewer import Viewer, of_status

from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.nodes.recorder.message_definition import message_definition

ROOM = "min_free_disk_mb:=0.0"


def stamps(bag: Path, topic: str) -> list[int]:
    with BagFile(bag) as opened:
        found = opened.messages({topic})
        return [m.content.header.stamp.sec * 10**9 + m.content.header.stamp.nanosec for m in found]


def recording(viewer: Viewer) -> bool:
    return of_status(viewer, "topics") == "/camera_info, /image_raw"


def play(viewer: Viewer, count: int) -> list[int]:
    """The stamps of so many images."""
    sent = []
    for _ in range(count):
        header = viewer.play()
        sent.append(header.stamp.sec * 10**9 + header.stamp.nanosec)
        viewer.spin(0.02)
    return sent


def test_what_was_sent_is_in_the_bag(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "snapshot_seconds:=30.0")
    viewer.until(lambda: recording(viewer), play=viewer.play)
    sent = play(viewer, 40)
    viewer.spin(0.5)
    snapshot = viewer.call(Trigger, "/recorder_node/snapshot")
    assert snapshot.success, snapshot.message
    stopped = viewer.call(Trigger, "/recorder_node/stop")
    bag = Path(stopped.message.removeprefix("recorded "))
    found = stamps(bag, "/image_raw")
    assert stopped.success and set(sent) <= set(found)
    assert set(sent) <= set(stamps(Path(snapshot.message.removeprefix("recorded ")), "/image_raw"))
    assert "reliability: 2" in (bag / "metadata.yaml").read_text()  # best effort, as offered
    with BagFile(bag) as opened:
        extraction = BagExtraction(opened, ExtractionRequest(image_format="png"))
        for _ in extraction.extract("/image_raw", tmp_path / "frames"):
            pass
    sequence = FolderSequence(tmp_path / "frames")
    assert len(sequence) == len(found) and sequence.camera.K[0, 0] == 260.0
    # A new bag after a new start.
    assert viewer.call(Trigger, "/recorder_node/start").success
    more = play(viewer, 5)
    viewer.spin(0.3)
    again = viewer.call(Trigger, "/recorder_node/stop").message.removeprefix("recorded ")
    assert Path(again) != bag and stamps(Path(again), "/image_raw") == more


def test_a_kill_leaves_a_bag_that_reads(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    process = start_node("recorder_node", f"folder:={tmp_path}", ROOM, "chunk_seconds:=0.2")
    viewer.until(lambda: recording(viewer), play=viewer.play)
    sent = play(viewer, 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (bag,) = tmp_path.iterdir()
    found = stamps(bag, "/image_raw")
    lost = [stamp for stamp in sent if stamp not in found]
    assert len(lost) < 40 and lost == sent[len(sent) - len(lost) :]  # but for the last second


def test_an_end_by_signal_ends_the_bag(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    process = start_node("recorder_node", f"folder:={tmp_path}", ROOM)
    viewer.until(lambda: recording(viewer), play=viewer.play)
    sent = play(viewer, 10)
    viewer.spin(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(10.0) == 0
    (bag,) = tmp_path.iterdir()
    assert (bag / "metadata.yaml").is_file()
    assert set(sent) <= set(stamps(bag, "/image_raw"))


def test_latched_and_reliable_topics(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    """What was published once, before the recorder came, is recorded as well."""
    kept = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    map_name = viewer.node.create_publisher(String, "map_name", kept)
    map_name.publish(String(data="hall"))
    odom = viewer.node.create_publisher(Odometry, "odom", 10)
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[map_name, odom]")
    viewer.until(lambda: of_status(viewer, "topics") == "/map_name, /odom")
    for number in range(30):
        message = Odometry()
        message.pose.pose.position.x = float(number)
        odom.publish(message)
        viewer.spin(0.01)
    viewer.spin(0.5)
    bag = Path(viewer.call(Trigger, "/recorder_node/stop").message.removeprefix("recorded "))
    with BagFile(bag) as opened:
        content = [(m.topic, m.content) for m in opened.messages()]
    assert [c.data for topic, c in content if topic == "/map_name"] == ["hall"]
    positions = [c.pose.pose.position.x for topic, c in content if topic == "/odom"]
    assert positions == [float(number) for number in range(30)]


def test_diagnostics_say_what_is_wrong(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    topics = "topics:=[image_raw, rear/image_raw]"
    start_node("recorder_node", f"folder:={tmp_path}", "min_free_disk_mb:=1000000000.0", topics)

    def told() -> bool:
        status = viewer.status
        return status is not None and "free on the disk" in status.message

    viewer.until(lambda: of_status(viewer, "topics") == "/image_raw")
    assert viewer.status is not None
    assert viewer.status.message == "nobody publishes /rear/image_raw"
    viewer.until(told, play=viewer.play)
    assert viewer.status.level == DiagnosticStatus.ERROR
    refused = viewer.call(Trigger, "/recorder_node/snapshot")
    assert not refused.success and "switched off" in refused.message


def test_a_folder_that_cannot_be_written(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    start_node("recorder_node", f"folder:={tmp_path / 'file' / 'bags'}")
    viewer.until(lambda: viewer.status is not None and "cannot record" in viewer.status.message)
    assert viewer.status.level == DiagnosticStatus.ERROR


@pytest.mark.parametrize(
    "kind",
    ["sensor_msgs/msg/PointCloud2", "nav_msgs/msg/Odometry", "diagnostic_msgs/msg/DiagnosticArray"],
)
def test_definitions_made_of_classes_are_those_of_the_files(kind: str) -> None:
    ours = get_types_from_msg(message_definition(kind), kind)
    known = get_typestore(Stores.LATEST).fielddefs
    assert kind in ours
    for name, (_, fields) in ours.items():
        assert fields == known[name][1], name
