"""What a demo plays: frames of a recording, a video, a bag or a webcam, each with its camera."""

from __future__ import annotations

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

_GUESS = 62.0  # degrees, as phones have: of a camera of which nothing is known


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
    guessed: bool = False  # whether nobody measured the camera


def open_stream(source: str, capture: CaptureSettings = NOTHING_STATED) -> FrameStream:
    """A webcam by its index, a bag (rosbag2 or ROS 1), or whatever training reads, videos included.

    ``capture`` states what they do not; without it a camera is guessed, and the stream says so.
    UserError for what is none of them.
    """
    if source.isdecimal():
        told = f"webcam {source}, {_camera_told(capture)}"
        live = _webcam(int(source), capture)
        return FrameStream(told, live, live=True, guessed=capture.camera is None)
    path = Path(source).expanduser()
    if path.suffix in BAG_SUFFIXES or is_bag(path):
        return _bag_stream(path, capture)
    capture = replace(capture, default_field_of_view=_GUESS)
    sequence, *others = open_sequence(str(path), capture=capture)
    told = f"recording {sequence.name}"
    guessed = sequence.calibration == "guessed"
    told += f", {_camera_told(capture)}" if guessed else ""
    told += f" (the first of {1 + len(others)})" if others else ""
    left_out: Counter[str] = Counter()
    frames = _recording(sequence, frame_times(sequence), left_out)
    return FrameStream(told, frames, left_out=left_out, guessed=guessed)


def _camera_told(capture: CaptureSettings) -> str:
    if capture.camera is not None:
        return "camera by --camera"
    degrees = capture.field_of_view or _GUESS
    return f"camera guessed, {degrees:g} degrees wide (--field-of-view)"


def stated_camera(height: int, width: int, capture: CaptureSettings) -> PinholeCamera:
    """The camera of images that come without one: calibrated, or right in kind and not in scale."""
    camera = capture.camera
    if camera is None:
        return camera_of_field_of_view(height, width, capture.field_of_view or _GUESS)
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
        except CorruptFrame as error:  # as a camera loses a frame
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
    """The first camera of a bag that can be used, as extraction and replay take it."""
    degrees = capture.field_of_view or _GUESS
    bag = BagFile(path)
    try:
        found = BagFrames(bag, ExtractionRequest(camera=capture.camera, field_of_view=degrees))
        topic = found.usable_camera()
    except BaseException:
        bag.close()
        raise
    guessed = topic in found.cameras.guessed
    told = f"bag {path.name}" + (f", {_camera_told(capture)}" if guessed else "")
    left_out: Counter[str] = Counter()
    return FrameStream(told, _bag(found, topic, left_out), left_out=left_out, guessed=guessed)


def _bag(found: BagFrames, topic: str, left_out: Counter[str]) -> Iterator[StreamedFrame]:
    elapsed = ElapsedTime()
    try:
        for frame in found.frames(topic, left_out, {}):
            if frame is not None:
                since = elapsed.at(frame.time, frame.stretch)
                yield StreamedFrame(since, frame.rgb, found.camera(topic, frame.rgb))
    finally:
        found.bag.close()
