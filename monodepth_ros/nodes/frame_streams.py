"""What a demo plays: frames of a recording, a video, a bag or a webcam, each with its camera."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bag_extraction import image_topics, info_topic
from monodepth_ros.data.bag_file import BAG_SUFFIXES, BagFile, is_bag
from monodepth_ros.data.bag_times import times_of
from monodepth_ros.data.camera_message import camera_from_info
from monodepth_ros.data.image_file import CorruptFrame
from monodepth_ros.data.image_message import IMAGE, decode_compressed, decode_image
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.video_file import VIDEO_SUFFIXES, frame_rate, read_video
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.stamps import elapsed

_SECOND = 1_000_000_000
_ASSUMED_WIDTH = 1.2  # of an uncalibrated camera, in focal lengths: 62 degrees, as phones have


@dataclass(frozen=True)
class StreamedFrame:
    """``time`` in nanoseconds since the stream's first frame; truth where there is any.

    ``rgb`` uint8 HxWx3 as the ``camera`` sees it, distortion included; ``depth`` metres HxW, NaN
    invalid; ``pose`` ``T_world_camera``, 4x4.
    """

    time: int
    rgb: NDArray[np.uint8]
    camera: PinholeCamera
    depth: NDArray[np.float32] | None = None
    pose: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class FrameStream:
    """Frames in the order of their time. ``live`` ones come when they come."""

    description: str
    frames: Iterator[StreamedFrame]
    live: bool = False
    left_out: Counter[str] = field(default_factory=Counter)  # frames, why; grows as they are read


def open_stream(source: str) -> FrameStream:
    """A webcam by its index, a video, a bag (rosbag2 or ROS 1), or a recording that training reads.

    UserError for what is none of them.
    """
    if source.isdecimal():
        return FrameStream(f"webcam {source}, camera assumed", _webcam(int(source)), live=True)
    path = Path(source).expanduser()
    if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        return FrameStream(f"video {path.name}, camera assumed", _video(path))
    if path.suffix in BAG_SUFFIXES or is_bag(path):
        left_out: Counter[str] = Counter()
        return FrameStream(f"bag {path.name}", _bag(path, left_out), left_out=left_out)
    return FrameStream(f"recording {path.name}", _recording(source))


def assumed_camera(height: int, width: int) -> PinholeCamera:
    """The camera of images that come without one: right in kind, not in scale."""
    focal_length = width / _ASSUMED_WIDTH
    return PinholeCamera.from_focal_length(
        width, height, focal_length, focal_length, (width - 1) / 2, (height - 1) / 2
    )


def _recording(source: str) -> Iterator[StreamedFrame]:
    sequence = open_sequence(source)[0]
    first: int | None = None
    for index in range(len(sequence)):
        try:
            rgb, depth = sequence.image(index), sequence.depth(index)
        except CorruptFrame:
            continue  # as a camera loses a frame
        stamp = sequence.stamp_ns(index)
        stamp = index * _SECOND // 30 if stamp is None else stamp
        first = stamp if first is None else first
        yield StreamedFrame(stamp - first, rgb, sequence.camera, depth, sequence.pose(index))


def _video(path: Path) -> Iterator[StreamedFrame]:
    rate = frame_rate(path) or 30.0
    try:
        for index, rgb in read_video(path):
            yield StreamedFrame(int(index * _SECOND / rate), rgb, assumed_camera(*rgb.shape[:2]))
    except CorruptFrame as error:
        raise UserError(str(error)) from None


def _webcam(index: int) -> Iterator[StreamedFrame]:
    capture = cv2.VideoCapture(index)
    try:
        if not capture.isOpened():
            raise UserError(f"webcam {index} cannot be opened")
        began = time.monotonic_ns()
        while True:
            read, bgr = capture.read()
            if not read:
                break
            rgb = np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)
            now = time.monotonic_ns() - began
            yield StreamedFrame(now, rgb, assumed_camera(*rgb.shape[:2]))
    finally:
        capture.release()


def _bag(path: Path, left_out: Counter[str]) -> Iterator[StreamedFrame]:
    """The first camera of a bag with the camera_info beside it."""
    with BagFile(path) as bag:
        images = image_topics(bag.topics)
        if not images:
            raise UserError(f"{path}: holds no images")
        image = images[0]
        info_name = info_topic(image, bag.topics)
        decode = decode_image if bag.topics[image] == IMAGE else decode_compressed
        camera: PinholeCamera | None = None
        info: Any = None
        judged = times_of(bag, image).judged(image)
        taken = [known for known in judged if not known.reason]
        times = iter(elapsed([k.time for k in taken], [k.stretch for k in taken]))
        known = iter(judged)
        first: int | None = None
        for message in bag.messages({image} if info_name is None else {image, info_name}):
            if message.topic != image:
                info = message.content
                continue
            if reason := next(known).reason:
                left_out[reason] += 1
                continue
            since = next(times)
            rgb = decode(message.content)
            height, width = rgb.shape[:2]
            if camera is None or (camera.height, camera.width) != (height, width):
                if info_name is not None and info is None:
                    left_out["before the first camera_info"] += 1
                    continue
                camera = assumed_camera(height, width)
                if info is not None:
                    camera = camera_from_info(info, height, width)
            first = since if first is None else first
            yield StreamedFrame(since - first, rgb, camera)
