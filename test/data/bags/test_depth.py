"""Depth for the images of a bag: which one belongs to which, and depth of another camera."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import SECOND, camera_info, header, image, make, transform, write_messages
from numpy.typing import NDArray

from monodepth_ros.data.bags.depth import nearest_depths, with_depths
from monodepth_ros.data.bags.file import BagFile, BagMessage
from monodepth_ros.data.bags.frames import BagFrames, RecordedFrame
from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.stamps import TimedMessage

COLOUR = PinholeCamera.from_focal_length(160, 120, 152.0, 152.0, 80.0, 60.0)  # 55 degrees
DEPTH = PinholeCamera.from_focal_length(212, 120, 106.0, 106.0, 106.0, 60.0)  # 90 degrees
BESIDE = 0.015  # metres from the depth camera to the colour camera, along x
START = 1_700_000_000 * SECOND
UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def wall(camera: PinholeCamera, shift: float) -> NDArray[np.float64]:
    """A box, 20 x 16 cm, half a metre before a camera that sits at x = ``shift``; a wall at 1 m."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x = (u - camera.K[0, 2]) / camera.K[0, 0] * 0.5 + shift
    y = (v - camera.K[1, 2]) / camera.K[1, 1] * 0.5
    return np.where((abs(x) < 0.1) & (abs(y) < 0.08), 0.5, 1.0)


def depth_message(at: int, metres: NDArray[np.float64], frame: str) -> Any:
    height, width = metres.shape
    data = np.round(1000 * metres).astype("<u2").view(np.uint8).reshape(-1)
    return make(
        "sensor_msgs/msg/Image",
        header=header(at, frame), height=height, width=width, encoding="16UC1",
        is_bigendian=0, step=2 * width, data=data,
    )  # fmt: skip


def info(at: int, camera: PinholeCamera) -> Any:
    message = camera_info(at, camera.height, camera.width)
    message.k = camera.K.reshape(-1)
    message.p = np.hstack([camera.K, np.zeros((3, 1))]).reshape(-1)
    return message


def realsense(
    path: Path,
    depth: NDArray[np.float64] | None = None,
    frame: str = "depth_optical",
    depth_info: PinholeCamera | None = DEPTH,
    tf: bool = True,
    colour_info: PinholeCamera | None = COLOUR,
) -> Path:
    """Three frames of a colour camera, and the depth of another one beside it."""
    messages: list[tuple[str, Any, int]] = []
    if tf:
        for child, x in (("depth_optical", 0.0), ("colour_optical", BESIDE)):
            offset = np.array([x, 0.0, 0.0])
            message = transform(START, "camera_link", child, offset, UPRIGHT)
            messages.append(("/tf_static", message, START))
    rgb = np.zeros((COLOUR.height, COLOUR.width, 3), np.uint8)
    metres = wall(DEPTH, 0.0) if depth is None else depth
    for number in range(3):
        at = START + number * SECOND // 10
        messages.append(("/colour/image_raw", image(at, rgb, "colour_optical"), at))
        messages.append(("/depth/image_raw", depth_message(at, metres, frame), at))
        if colour_info is not None:
            messages.append(("/colour/camera_info", info(at, colour_info), at))
        if depth_info is not None:
            messages.append(("/depth/camera_info", info(at, depth_info), at))
    return write_messages(path, messages)


def taken(path: Path, **request: Any) -> tuple[list[RecordedFrame], Coverage]:
    coverage: dict[str, Coverage] = {}
    left_out: Counter[str] = Counter()
    with BagFile(path) as bag:
        frames = BagFrames(bag, ExtractionRequest(depth="/depth/image_raw", **request))
        assert frames.images == ["/colour/image_raw"]
        found = list(frames.frames("/colour/image_raw", left_out, coverage))
    assert not left_out and None not in found
    return [frame for frame in found if frame is not None], coverage["depth"]


def test_depth_of_another_camera_is_registered(tmp_path: Path) -> None:
    frames, coverage = taken(realsense(tmp_path / "bag"))
    assert str(coverage) == "depth 3 of 3 frames"
    truth = wall(COLOUR, BESIDE)
    depth = frames[1].depth
    assert depth is not None and depth.shape == truth.shape
    known = np.isfinite(depth)
    edge = np.zeros_like(known)
    edge[:-1] |= truth[:-1] != truth[1:]
    edge[:, :-1] |= truth[:, :-1] != truth[:, 1:]
    for axis in (0, 1):
        edge |= np.roll(edge, 1, axis) | np.roll(edge, -1, axis)
    assert known.mean() > 0.4 and known[truth == 0.5].mean() > 0.3
    np.testing.assert_allclose(depth[known & ~edge], truth[known & ~edge], atol=1e-6)


def test_without_tf_it_is_refused_and_the_images_are_taken(tmp_path: Path) -> None:
    frames, coverage = taken(realsense(tmp_path / "bag", tf=False))
    assert len(frames) == 3 and all(frame.depth is None for frame in frames)
    assert str(coverage) == (
        "depth 0 of 3 frames: depth of another camera: /depth/image_raw is 212x120 in frame"
        " 'depth_optical', the images are 160x120 in 'colour_optical', and TF has no way from"
        " depth_optical to colour_optical"
    )


def test_without_its_camera_info_it_is_refused(tmp_path: Path) -> None:
    _, coverage = taken(realsense(tmp_path / "bag", depth_info=None))
    assert coverage.found == 0 and "there is no camera_info beside it" in str(coverage)
    _, uncalibrated = taken(
        realsense(tmp_path / "zeros", depth_info=PinholeCamera(212, 120, np.zeros((3, 3))))
    )
    assert uncalibrated.found == 0 and "camera_info: K is all zeros" in str(uncalibrated)


def test_depth_of_the_images_frame_and_size_is_taken_as_it_is(tmp_path: Path) -> None:
    depth = wall(COLOUR, BESIDE)
    for name, depth_info in (("same", COLOUR), ("none", None)):
        path = realsense(tmp_path / name, depth, "colour_optical", depth_info, tf=False)
        frames, coverage = taken(path)
        assert coverage.found == 3 and frames[0].depth == pytest.approx(depth)


def test_a_calibration_file_does_not_move_registered_depth(tmp_path: Path) -> None:
    depth = wall(COLOUR, BESIDE)
    path = realsense(tmp_path / "bag", depth, "/colour_optical", COLOUR, tf=False)
    better = PinholeCamera.from_focal_length(160, 120, 160.0, 160.0, 82.0, 61.0)
    frames, _ = taken(path, camera=better)
    assert frames[0].depth == pytest.approx(depth)


def test_half_the_size_needs_the_camera_info_that_says_so(tmp_path: Path) -> None:
    half = COLOUR.resized(60, 80)
    ramp = np.repeat(np.linspace(1.0, 2.0, 80)[None], 60, 0)
    said = realsense(tmp_path / "said", ramp, "colour_optical", half, tf=False)
    frames, coverage = taken(said)
    assert coverage.found == 3
    np.testing.assert_allclose(frames[0].depth, np.repeat(np.repeat(ramp, 2, 0), 2, 1), atol=1e-3)
    _, refused = taken(realsense(tmp_path / "unsaid", ramp, "colour_optical", None, tf=False))
    assert refused.found == 0 and "is 80x60 in frame 'colour_optical'" in str(refused)


def test_another_focal_length_in_the_same_frame_is_not_stretched(tmp_path: Path) -> None:
    """A wide camera at the same place: each pixel takes the depth along its own ray."""
    path = realsense(tmp_path / "bag", wall(DEPTH, 0.0), "colour_optical", DEPTH, tf=False)
    frames, coverage = taken(path)
    assert coverage.found == 3 and frames[0].depth is not None
    wrong = np.abs(frames[0].depth - wall(COLOUR, 0.0)) > 0.1
    assert wrong.mean() < 0.01  # a pixel of the depth camera is wider at the edges of the box


def test_a_camera_that_looks_away_sees_none_of_it(tmp_path: Path) -> None:
    path = tmp_path / "bag"
    back = (0.0, 1.0, 0.0, 0.0)  # half a turn about y
    messages = [
        (
            "/tf_static",
            transform(START, "depth_optical", "colour_optical", np.zeros(3), back),
            START,
        )
    ]
    whole = realsense(tmp_path / "other", tf=False)
    with BagFile(whole) as bag:
        messages += [(m.topic, m.content, m.stamp) for m in bag.messages()]
    _, coverage = taken(write_messages(path, messages))
    assert coverage.found == 0 and "by TF no point is in the image" in str(coverage)


def judged(times: list[int | None]) -> list[TimedMessage[Any]]:
    return [TimedMessage(None, t or 0, 0, "left out" if t is None else "") for t in times]


def test_the_nearest_in_time_or_how_far_it_is() -> None:
    ms = 1_000_000
    images, depths = judged([0, 100 * ms, 200 * ms]), judged([15 * ms, None, 133 * ms])
    arrivals = [0, 100 * ms, 200 * ms]
    reason = "nearest stamp {gap} away (tolerance 20 ms)"
    assert nearest_depths(images, depths, arrivals, arrivals, 0.02) == [
        0, Unknown(reason, 33 * ms), Unknown(reason, 67 * ms)
    ]  # fmt: skip
    nothing = nearest_depths(images, judged([None]), arrivals, [0], 0.02)
    assert {found.reason for found in nothing if isinstance(found, Unknown)} == {
        "the topic of depth has no message that can be used"
    }


def test_a_clock_set_back_does_not_pair_with_an_earlier_drive() -> None:
    """The same stamps again, 1000 messages later: each image takes the depth of its own drive."""
    times = [n * SECOND for n in range(1, 501)] * 2
    arrivals = [n * SECOND for n in range(1, 1001)]
    pairs = nearest_depths(judged(times), judged(times), arrivals, arrivals, 0.02)
    assert pairs == list(range(1000))


def test_depth_that_is_recorded_later_is_waited_for() -> None:
    def message(topic: str, number: int) -> TimedMessage[BagMessage]:
        return TimedMessage(BagMessage(topic, number, f"{topic}{number}"), number, 0)

    order = [("i", 0), ("i", 1), ("d", 0), ("i", 2), ("d", 1), ("i", 3)]
    missing = Unknown("none")
    found = list(with_depths((message(*each) for each in order), "i", [1, missing, 1, 7]))
    assert [image.item.stamp for image, _ in found] == [0, 1, 2, 3]
    contents = [depth.content if isinstance(depth, BagMessage) else depth for _, depth in found]
    assert contents == ["d1", missing, "d1", Unknown("the depth cannot be read")]
