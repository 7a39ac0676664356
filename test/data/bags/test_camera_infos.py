"""Which of the camera_info messages of a bag counts, and for which images."""

from __future__ import annotations

from typing import Any

from bag_messages import SECOND, camera_info, image, picture, stamp_of

from monodepth_ros.data.bags.camera_infos import RecordedCameraInfos
from monodepth_ros.data.bags.file import BagMessage


def info_message(number: int, focal_length: float, unstamped: bool = False) -> BagMessage:
    stamp = stamp_of(number)
    info = camera_info(0 if unstamped else stamp)
    info.k[0] = info.k[4] = focal_length
    return BagMessage("/camera_info", stamp, info)


def image_message(number: int, delay: int = 0) -> BagMessage:
    stamp = stamp_of(number)
    return BagMessage("/image_raw", stamp + delay, image(stamp, picture(0)))


def taken(*messages: BagMessage) -> RecordedCameraInfos:
    infos = RecordedCameraInfos()
    for message in messages:
        infos.add(message)
    return infos


def focal_length(info: Any) -> float:
    return float(info.k[0])


def test_zeros_count_only_where_there_is_nothing_else() -> None:
    zeros = [info_message(number, 0.0) for number in range(3)]
    for message in zeros:
        message.content.k[:] = 0.0
    assert taken().info is None and taken().describes(image_message(0))
    assert not taken(*zeros).info.k.any()
    infos = taken(*zeros, info_message(3, 30.0))
    assert focal_length(infos.info) == 30.0
    assert infos.describes(image_message(0)) and infos.notes("/camera_info") == []


def test_of_a_camera_that_zooms_most_images_count() -> None:
    infos = taken(*(info_message(n, 30.0 if n < 4 else 60.0) for n in range(12)))
    assert focal_length(infos.info) == 60.0
    described = [infos.describes(image_message(number)) for number in range(12)]
    assert described == [False] * 4 + [True] * 8
    # A message that was recorded late has its own stamp's calibration all the same.
    assert not infos.describes(image_message(3, delay=2 * SECOND))
    (note,) = infos.notes("/camera_info")
    assert "2 different calibrations: the one of 8 messages counts" in note


def test_without_a_message_of_its_stamp_the_last_one_counts() -> None:
    infos = taken(info_message(2, 30.0), info_message(6, 60.0), info_message(8, 60.0))
    assert [infos.describes(image_message(n)) for n in (0, 3, 5, 7, 9)] == [False] * 3 + [True] * 2
    unstamped = taken(*(info_message(n, 30.0 if n < 8 else 60.0, True) for n in range(12)))
    late = BagMessage("/image_raw", stamp_of(3), image(0, picture(0)))
    assert unstamped.describes(late)  # neither is stamped: the order of recording counts
    assert unstamped.describes(image_message(7)) and not unstamped.describes(image_message(9))


def test_a_lens_that_focuses_is_one_camera_and_said() -> None:
    infos = taken(*(info_message(n, 30.0 + 0.01 * n) for n in range(10)))
    assert focal_length(infos.info) == 30.0
    assert all(infos.describes(image_message(number)) for number in range(10))
    (note,) = infos.notes("/camera_info")
    assert "varies by less than 0.5 %" in note
