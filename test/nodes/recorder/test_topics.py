"""The recorder follows its topics: publishers that come back, differ, or publish another type."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger
from viewer import Viewer, of_status

from monodepth_ros.data.bags.file import BagFile

ROOM = "min_free_disk_mb:=0.0"
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


def heard_by_the_recorder(viewer: Viewer, publisher: Publisher) -> None:
    viewer.until(lambda: publisher.get_subscription_count() > 0, seconds=20.0)
    viewer.spin(0.2)


def send(viewer: Viewer, publisher: Publisher, first: int, count: int) -> None:
    for number in range(first, first + count):
        publisher.publish(String(data=str(number)))
        viewer.spin(0.02)


def recorded(viewer: Viewer) -> list[Path]:
    viewer.spin(0.5)
    answer = viewer.call(Trigger, "/recorder_node/stop")
    assert answer.success and answer.message.startswith("recorded "), answer.message
    return [Path(bag) for bag in answer.message.removeprefix("recorded ").split(", ")]


def texts(bag: Path) -> list[str]:
    with BagFile(bag) as opened:
        return [message.content.data for message in opened.messages()]


@pytest.mark.parametrize(
    ("before", "after"),
    [(RELIABLE, BEST_EFFORT), (LATCHED, RELIABLE), (BEST_EFFORT, LATCHED), (LATCHED, BEST_EFFORT)],
    ids=["reliable to best effort", "latched to reliable", "to latched", "latched to best effort"],
)
def test_a_publisher_that_comes_back_with_another_offer(
    viewer: Viewer, start_node: Any, tmp_path: Path, before: QoSProfile, after: QoSProfile
) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[words]")
    publisher = viewer.node.create_publisher(String, "words", before)
    heard_by_the_recorder(viewer, publisher)
    send(viewer, publisher, 0, 10)
    viewer.spin(0.3)
    viewer.node.destroy_publisher(publisher)
    viewer.until(lambda: viewer.status and "nobody publishes /words" in viewer.status.message)
    assert viewer.status is not None and viewer.status.level == DiagnosticStatus.WARN
    publisher = viewer.node.create_publisher(String, "words", after)
    heard_by_the_recorder(viewer, publisher)
    send(viewer, publisher, 10, 20)
    (bag,) = recorded(viewer)
    assert texts(bag) == [str(number) for number in range(30)]


def test_publishers_that_differ_are_all_heard_once(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    """What one of them keeps for those that come later is recorded as well, and all but once."""
    kept = viewer.node.create_publisher(String, "words", LATCHED)
    reliable = viewer.node.create_publisher(String, "words", RELIABLE)
    unreliable = viewer.node.create_publisher(String, "words", qos_profile_sensor_data)
    send(viewer, kept, 0, 3)
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[words]")
    for publisher in (kept, reliable, unreliable):
        heard_by_the_recorder(viewer, publisher)
    viewer.spin(1.0)
    for first, publisher in ((10, kept), (20, reliable), (30, unreliable)):
        send(viewer, publisher, first, 5)
    viewer.node.destroy_publisher(unreliable)
    viewer.spin(2.0)  # what it alone needed is given up
    send(viewer, kept, 40, 5)
    (bag,) = recorded(viewer)
    expected = [*range(3), *(first + n for first in (10, 20, 30, 40) for n in range(5))]
    assert Counter(texts(bag)) == Counter(map(str, expected))


def test_a_type_that_changes_is_named_and_goes_to_a_new_bag(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    node = start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[thing]")
    publisher = viewer.node.create_publisher(String, "thing", RELIABLE)
    heard_by_the_recorder(viewer, publisher)
    send(viewer, publisher, 0, 5)
    viewer.spin(0.3)
    viewer.node.destroy_publisher(publisher)
    numbers = viewer.node.create_publisher(Float64, "thing", RELIABLE)
    heard_by_the_recorder(viewer, numbers)
    for number in range(5):
        numbers.publish(Float64(data=float(number)))
        viewer.spin(0.02)
    words, floats = recorded(viewer)
    assert texts(words) == [str(number) for number in range(5)]
    assert texts(floats) == [float(number) for number in range(5)]
    node.kill()
    output = node.stdout.read()
    assert "/thing: type changed from std_msgs/msg/String to std_msgs/msg/Float64" in output


def test_two_types_at_once_are_named_and_one_is_recorded(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[thing]")
    words = viewer.node.create_publisher(String, "thing", RELIABLE)
    heard_by_the_recorder(viewer, words)
    context = Context()  # one process cannot publish both
    rclpy.init(context=context)
    other = rclpy.create_node("other", context=context)
    other.create_publisher(Float64, "thing", RELIABLE).publish(Float64(data=1.0))
    both = "/thing is published as std_msgs/msg/Float64 and as std_msgs/msg/String"
    told = f"{both}; std_msgs/msg/String is recorded"
    numbers = iter(range(1000))
    sent = []

    def say() -> None:
        sent.append(next(numbers))
        words.publish(String(data=str(sent[-1])))

    viewer.until(lambda: viewer.status and told in viewer.status.message, play=say)
    (bag,) = recorded(viewer)
    other.destroy_node()
    rclpy.shutdown(context=context)
    assert texts(bag) == [str(number) for number in sent]


def test_one_empty_name_stands_for_none_and_no_topic_at_all_is_refused(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", "topics:=['']", "optional_topics:=['']")
    viewer.until(lambda: viewer.status)
    assert viewer.status is not None
    assert viewer.status.message == "cannot configure: parameter topics: nothing to record"


@pytest.mark.parametrize(
    ("topics", "reason"),
    [
        (
            "topics:=['bad name!']",
            "parameter topics: 'bad name!' is not the name of a topic: topic",
        ),
        (
            "topics:=['a', '']",
            "parameter topics: '' is not the name of a topic: topic name must not be",
        ),
        (
            "topics:=['a//b']",
            "parameter topics: 'a//b' is not the name of a topic: topic name must",
        ),
        ("optional_topics:=['1st']", "parameter optional_topics: '1st' is not the name of a topic"),
        ("prefix:=a/b", "parameter prefix: 'a/b' is not a file's name"),
    ],
)
def test_what_is_no_name_fails_the_configuration_with_the_reason(
    viewer: Viewer, start_node: Any, tmp_path: Path, topics: str, reason: str
) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", topics)
    viewer.until(lambda: viewer.status)
    assert viewer.status is not None and viewer.status.message.startswith(
        f"cannot configure: {reason}"
    )
    assert viewer.status.level == DiagnosticStatus.ERROR


def test_start_and_stop_tell_the_truth(viewer: Viewer, start_node: Any, tmp_path: Path) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[words]")
    publisher = viewer.node.create_publisher(String, "words", RELIABLE)
    heard_by_the_recorder(viewer, publisher)
    send(viewer, publisher, 0, 3)
    viewer.until(lambda: of_status(viewer, "bag") not in (None, "none"))
    under_way = Path(of_status(viewer, "bag") or "")
    again = viewer.call(Trigger, "/recorder_node/start")
    assert again.success and again.message.startswith("already recording")
    send(viewer, publisher, 3, 3)
    assert recorded(viewer) == [under_way]
    assert texts(under_way) == ["0", "1", "2", "3", "4", "5"]
    nothing = viewer.call(Trigger, "/recorder_node/stop")
    assert nothing.message == "nothing was being recorded"


def test_start_is_refused_where_there_is_no_room(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    """A node that begins with a full disk is active all the same, for when there is room again."""
    start_node("recorder_node", f"folder:={tmp_path}", "min_free_disk_mb:=1e8", "topics:=[words]")
    publisher = viewer.node.create_publisher(String, "words", RELIABLE)
    full = "less than 1e+08 MB are free on the disk"
    viewer.until(lambda: full in viewer.said(), play=lambda: publisher.publish(String(data="1")))
    refused = viewer.call(Trigger, "/recorder_node/start")
    assert not refused.success and refused.message.endswith(full)
    stopped = viewer.call(Trigger, "/recorder_node/stop")
    assert stopped.message.startswith("nothing was being recorded; it had stopped by itself")


def test_topics_that_nobody_needs_are_not_missed_but_recorded(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    start_node(
        "recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[words]", "optional_topics:=[more]"
    )
    words = viewer.node.create_publisher(String, "words", RELIABLE)
    heard_by_the_recorder(viewer, words)
    viewer.until(lambda: viewer.status and viewer.status.message == "recording")
    more = viewer.node.create_publisher(String, "more", LATCHED)
    send(viewer, more, 0, 1)
    viewer.until(lambda: of_status(viewer, "topics") == "/more, /words")
    send(viewer, words, 1, 1)
    (bag,) = recorded(viewer)
    assert sorted(texts(bag)) == ["0", "1"]


def test_a_camera_that_falls_silent_is_told(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[image_raw]")
    viewer.until(lambda: of_status(viewer, "topics") == "/image_raw", play=viewer.play)
    viewer.until(lambda: viewer.status and viewer.status.message == "recording", play=viewer.play)
    viewer.until(lambda: viewer.status and "/image_raw: no image for" in viewer.status.message)
    assert viewer.status is not None and viewer.status.level == DiagnosticStatus.WARN


def test_simulated_time_that_has_not_begun_is_waited_for(
    viewer: Viewer, start_node: Any, tmp_path: Path
) -> None:
    start_node(
        "recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[words]", "use_sim_time:=true"
    )
    kept = viewer.node.create_publisher(String, "words", LATCHED)
    send(viewer, kept, 0, 2)
    viewer.until(
        lambda: viewer.status and "no message on /clock was received" in viewer.status.message
    )
    clock = viewer.node.create_publisher(Clock, "/clock", 10)
    time = Clock()
    time.clock.sec = 1000

    viewer.until(
        lambda: of_status(viewer, "messages written") == "2", play=lambda: clock.publish(time)
    )
    (bag,) = recorded(viewer)
    with BagFile(bag) as opened:
        assert [m.stamp for m in opened.messages()] == [1000 * 10**9] * 2


LARGE_IMAGES = """
import time, rclpy
from array import array
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("camera")
publisher = node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
image = Image(height=720, width=1280, encoding="rgb8", step=3840)
image.data = array("B", bytes(3840 * 720))
while publisher.get_subscription_count() == 0:
    time.sleep(0.05)
time.sleep(0.5)
for number in range(60):
    publisher.publish(image)
    time.sleep(1 / 30)
image.height, image.data = 1, array("B", bytes(3840))
for number in range(5):  # these arrive, and show what was lost before them
    publisher.publish(image)
    time.sleep(0.1)
input()
"""


@pytest.mark.alone
def test_what_the_middleware_loses_is_counted(
    viewer: Viewer, start_node: Any, ros_environment: dict[str, str], tmp_path: Path
) -> None:
    """Large images without the profile, best effort: each is in the bag or counted as lost."""
    start_node("recorder_node", f"folder:={tmp_path}", ROOM, "topics:=[image_raw]")
    viewer.node.destroy_publisher(viewer._images)
    camera = subprocess.Popen(
        [sys.executable, "-c", LARGE_IMAGES], env=ros_environment, stdin=subprocess.PIPE
    )
    try:
        viewer.until(lambda: viewer.status and "lost by the middleware" in viewer.status.message)
        assert viewer.status is not None and viewer.status.level == DiagnosticStatus.WARN

        def counted() -> int:
            names = ("messages written", "messages lost by the middleware")
            return sum(int(of_status(viewer, name) or 0) for name in names)

        viewer.until(lambda: counted() >= 64)  # what is lost before the first cannot be known
        viewer.spin(1.5)
        assert counted() <= 65
    finally:
        camera.kill()
        camera.communicate()
