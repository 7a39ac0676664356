"""The input of a demo: frames of a recording, a video, a bag or a webcam, with their camera."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from monodepth_ros.data.bags.file import BAG_SUFFIXES, BagFile, is_bag
from monodepth_ros.data.bags.frames import BagFrames, RecordedFrame
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
class FrameStream:
    """Frames in temporal order; those of a ``live`` stream arrive in real time.

    Their stamps count from the first frame. They are not rectified. ``left_out`` counts frames by
    the reason, while they are read; ``guessed``: the camera is not calibrated.
    """

    description: str
    frames: Iterator[RecordedFrame]
    live: bool
    left_out: Counter[str]
    guessed: bool


def open_stream(source: str, capture: CaptureSettings = NOTHING_STATED) -> FrameStream:
    """A webcam by its index, a bag (rosbag2 or ROS 1), or whatever training reads, videos included.

    ``capture`` adds what the source does not state; without it the camera is guessed, and the
    stream says so. UserError for other sources.
    """
    degrees = capture.field_of_view or _DEFAULT_FIELD_OF_VIEW
    left_out: Counter[str] = Counter()
    path, live, more = Path(source).expanduser(), source.isdecimal(), ""
    if live:
        name, guessed = f"webcam {source}", capture.camera is None
        more = "" if guessed else ", camera by --camera"
        frames = _webcam(int(source), capture.camera, degrees)
    elif path.suffix in BAG_SUFFIXES or is_bag(path):
        found, topic = _usable_camera(path, capture.camera, degrees)
        name, guessed = f"bag {path.name}", topic in found.cameras.guessed
        frames = _bag(found, topic, left_out)
    else:
        capture = replace(capture, default_field_of_view=_DEFAULT_FIELD_OF_VIEW)
        sequence, *others = open_sequence(str(path), capture=capture)
        name, guessed = f"recording {sequence.name}", sequence.calibration == "guessed"
        more = f" (the first of {1 + len(others)})" if others else ""
        frames = _recording(sequence, frame_times(sequence), left_out)
    guess = f", camera guessed, {degrees:g} degrees wide (--field-of-view)" if guessed else ""
    return FrameStream(f"{name}{guess}{more}", frames, live, left_out, guessed)


def read_ahead(stream: FrameStream) -> Iterator[RecordedFrame]:
    """The frames of a stream, read ahead by a thread so that a slow disk does not delay them."""
    waiting: queue.Queue[RecordedFrame | BaseException | None] = queue.Queue(maxsize=_READ_AHEAD)

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


def _recording(
    sequence: Sequence, stamps: list[int | None], left_out: Counter[str]
) -> Iterator[RecordedFrame]:
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
        yield RecordedFrame(rgb, sequence.camera, stamp - first, depth, sequence.pose(index))


def _webcam(
    index: int, calibration: PinholeCamera | None, degrees: float
) -> Iterator[RecordedFrame]:
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
            height, width = rgb.shape[:2]
            camera = calibration or camera_of_field_of_view(height, width, degrees)
            camera.check_size(height, width, "--camera")
            yield RecordedFrame(rgb, camera, time.monotonic_ns() - began)
    finally:
        capture.release()


def _usable_camera(
    path: Path, calibration: PinholeCamera | None, degrees: float
) -> tuple[BagFrames, str]:
    """The first usable camera of a bag, the same as extraction and replay use."""
    bag = BagFile(path)
    try:
        found = BagFrames(bag, ExtractionRequest(camera=calibration, field_of_view=degrees))
        return found, found.usable_camera()
    except BaseException:
        bag.close()
        raise


def _bag(found: BagFrames, topic: str, left_out: Counter[str]) -> Iterator[RecordedFrame]:
    elapsed = ElapsedTime()
    try:
        for frame in found.frames(topic, left_out, {}):
            if frame is not None:
                yield replace(frame, stamp=elapsed.at(frame.stamp, frame.segment))
    finally:
        found.bag.close()
