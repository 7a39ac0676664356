"""The input of a demo: frames of a recording, a video, a bag or a webcam, with their camera."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.file import BAG_SUFFIXES, BagFile, is_bag
from monodepth_ros.data.bags.frames import BagFrames
from monodepth_ros.data.cameras.capture_settings import (
    NOTHING_STATED,
    CaptureSettings,
    camera_of_field_of_view,
)
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.frame_times import frame_times
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.stamps import ElapsedTime

_DEFAULT_FIELD_OF_VIEW = 62.0  # degrees, typical for a phone; for an unknown camera
_READ_AHEAD = 150  # frames


@dataclass(frozen=True)
class StreamedFrame:
    """A frame, ``time`` nanoseconds after the stream's first one, with ground truth if known.

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
    """Frames in temporal order; those of a ``live`` stream arrive in real time."""

    description: str
    frames: Iterator[StreamedFrame]
    live: bool = False
    left_out: Counter[str] = field(
        default_factory=Counter
    )  # reason -> number of frames; grows while they are read
    guessed: bool = False  # whether the camera is not calibrated


def open_stream(source: str, capture: CaptureSettings = NOTHING_STATED) -> FrameStream:
    """A webcam by its index, a bag (rosbag2 or ROS 1), or whatever training reads, videos included.

    ``capture`` adds what the source does not state; without it the camera is guessed, and the
    stream says so. UserError for other sources.
    """
    if source.isdecimal():
        description = f"webcam {source}, {_describe_camera(capture)}"
        live = _webcam(int(source), capture)
        return FrameStream(description, live, live=True, guessed=capture.camera is None)
    path = Path(source).expanduser()
    if path.suffix in BAG_SUFFIXES or is_bag(path):
        return _bag_stream(path, capture)
    capture = replace(capture, default_field_of_view=_DEFAULT_FIELD_OF_VIEW)
    sequence, *others = open_sequence(str(path), capture=capture)
    description = f"recording {sequence.name}"
    guessed = sequence.calibration == "guessed"
    description += f", {_describe_camera(capture)}" if guessed else ""
    description += f" (the first of {1 + len(others)})" if others else ""
    left_out: Counter[str] = Counter()
    frames = _recording(sequence, frame_times(sequence), left_out)
    return FrameStream(description, frames, left_out=left_out, guessed=guessed)


def read_ahead(stream: FrameStream) -> Iterator[StreamedFrame]:
    """The frames of a stream, read ahead by a thread so that a slow disk does not delay them."""
    waiting: queue.Queue[StreamedFrame | BaseException | None] = queue.Queue(maxsize=_READ_AHEAD)

    def read() -> None:
        try:
            for frame in stream.frames:
                waiting.put(frame)
            waiting.put(None)
        except BaseException as error:  # raised where the frame is used
            waiting.put(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while not stream.live and reader.is_alive() and not waiting.full():
        time.sleep(0.02)
    while (item := waiting.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def _describe_camera(capture: CaptureSettings) -> str:
    if capture.camera is not None:
        return "camera by --camera"
    degrees = capture.field_of_view or _DEFAULT_FIELD_OF_VIEW
    return f"camera guessed, {degrees:g} degrees wide (--field-of-view)"


def stated_camera(height: int, width: int, capture: CaptureSettings) -> PinholeCamera:
    """The camera of images without one: as stated, or guessed from the field of view."""
    camera = capture.camera
    if camera is None:
        return camera_of_field_of_view(
            height, width, capture.field_of_view or _DEFAULT_FIELD_OF_VIEW
        )
    camera.check_size(height, width, "--camera")
    return camera


def _recording(
    sequence: Sequence, stamps: list[int | None], left_out: Counter[str]
) -> Iterator[StreamedFrame]:
    first: int | None = None
    for index, stamp in enumerate(stamps):
        if stamp is None:
            left_out["without a stamp"] += 1
            continue
        try:
            rgb, depth = sequence.image(index), sequence.depth(index)
        except CorruptFrame as error:  # as if the camera had lost it
            left_out[str(error)] += 1
            continue
        first = stamp if first is None else first
        yield StreamedFrame(stamp - first, rgb, sequence.camera, depth, sequence.pose(index))


def _webcam(index: int, given: CaptureSettings) -> Iterator[StreamedFrame]:
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
            yield StreamedFrame(now, rgb, stated_camera(rgb.shape[0], rgb.shape[1], given))
    finally:
        capture.release()


def _bag_stream(path: Path, capture: CaptureSettings) -> FrameStream:
    """The first usable camera of a bag, the same as extraction and replay use."""
    degrees = capture.field_of_view or _DEFAULT_FIELD_OF_VIEW
    bag = BagFile(path)
    try:
        found = BagFrames(bag, ExtractionRequest(camera=capture.camera, field_of_view=degrees))
        topic = found.usable_camera()
    except BaseException:
        bag.close()
        raise
    guessed = topic in found.cameras.guessed
    description = f"bag {path.name}" + (f", {_describe_camera(capture)}" if guessed else "")
    left_out: Counter[str] = Counter()
    return FrameStream(
        description, _bag(found, topic, left_out), left_out=left_out, guessed=guessed
    )


def _bag(found: BagFrames, topic: str, left_out: Counter[str]) -> Iterator[StreamedFrame]:
    elapsed = ElapsedTime()
    try:
        for frame in found.frames(topic, left_out, {}):
            if frame is not None:
                since = elapsed.at(frame.stamp, frame.segment)
                yield StreamedFrame(since, frame.rgb, frame.camera)
    finally:
        found.bag.close()
