"""Live images by the judge of their stamps: what comes out, and what is said."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.nodes.camera.image_times import ImageTimes
from monodepth_ros.stamps import AHEAD, SECOND

BEGIN = 1_700_000_000 * SECOND


class Stream:
    """Images at 10 Hz by the node's clock."""

    def __init__(self) -> None:
        self.now = BEGIN
        self.said: list[str] = []
        self.times = ImageTimes("/image_raw", lambda: self.now, self.said.append)

    def add(self, stamp: int) -> tuple[list[tuple[int, int]], str]:
        """Stamps and segments of what can be used, and why something cannot."""
        self.now += SECOND // 10
        sec, nanosec = divmod(stamp, SECOND)
        header = Header(stamp=Time(sec=sec, nanosec=nanosec))
        images, reason = self.times.add(Image(header=header))
        return [(nanoseconds(i.item.header.stamp), i.segment) for i in images], reason


def test_good_stamps_stay_as_they_are_and_come_at_once() -> None:
    stream = Stream()
    for k in range(5):
        stamp = BEGIN + k * SECOND // 10 + 17
        assert stream.add(stamp) == ([(stamp, 0)], "")
    assert stream.said == [] and stream.times.facts() == {} and stream.times.warnings == []


def test_an_outlier_is_left_out_counted_and_said() -> None:
    stream = Stream()
    stream.add(BEGIN)
    assert stream.add(BEGIN + 3600 * SECOND) == ([], "")  # it may be a clock that was set
    good = BEGIN + SECOND // 5
    assert stream.add(good) == ([(good, 0)], AHEAD)
    assert stream.times.facts() == {f"images left out: {AHEAD}": "1"}
    assert stream.said == [f"/image_raw: 1 images left out so far: {AHEAD}"]
    assert stream.times.warnings == [f"some images are left out: {AHEAD}"]


def test_a_clock_that_was_set_is_told_by_three_images() -> None:
    stream = Stream()
    stream.add(BEGIN)
    back = [BEGIN - 100 * SECOND + k * SECOND // 10 for k in range(4)]
    assert [stream.add(stamp) for stamp in back] == [
        ([], ""),
        ([], ""),
        ([(stamp, 1) for stamp in back[:3]], ""),
        ([(back[3], 1)], ""),
    ]
    assert stream.times.facts() == {"clock was set": "1"}
    assert stream.said == ["/image_raw: the clock of the images was set"]


def test_images_of_a_driver_that_does_not_stamp_get_the_time_of_their_arrival() -> None:
    stream = Stream()
    arrivals = [BEGIN + k * SECOND // 10 for k in range(1, 6)]
    assert [stream.add(0) for _ in range(5)] == [
        ([], ""),
        ([], ""),
        ([(arrival, 0) for arrival in arrivals[:3]], ""),
        ([(arrivals[3], 0)], ""),
        ([(arrivals[4], 0)], ""),
    ]
    notice = "the driver of /image_raw does not stamp: the time of arrival is used"
    assert stream.times.warnings == [notice]
