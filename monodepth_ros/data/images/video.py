"""Frames of video files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from monodepth_ros.data.images.file import CorruptFrame, RgbImage
from monodepth_ros.data.utf8_path import utf8_path

VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"}


def is_video(path: Path) -> bool:
    """Whether the file has a video's name."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def open_capture(path: Path) -> cv2.VideoCapture:
    """OpenCV's reader of a video, whose name may be of any bytes."""
    with utf8_path(path) as name:  # any other ends the process in OpenCV
        return cv2.VideoCapture(name)


def frame_count(path: Path) -> int:
    """How many frames the header claims; 0 where it does not say."""
    return max(0, int(_header(path, cv2.CAP_PROP_FRAME_COUNT)))


def read_video(
    path: Path, wanted: Callable[[int], bool] = lambda number: True
) -> Iterator[tuple[int, RgbImage]]:
    """(number, uint8 RGB) of each frame that is wanted. Raises :class:`CorruptFrame`."""
    capture = open_capture(path)
    try:
        index = 0
        while capture.grab():
            if wanted(index):
                decoded, bgr = capture.retrieve()
                if not decoded:
                    raise CorruptFrame(path, f"frame {index} cannot be decoded")
                yield index, np.ascontiguousarray(bgr[:, :, ::-1], np.uint8)
            index += 1
        if index == 0:
            raise CorruptFrame(path, "not a readable video")
    finally:
        capture.release()


def frame_rate(path: Path) -> float | None:
    """Frames a second, by the file's header; None where it does not say."""
    rate = _header(path, cv2.CAP_PROP_FPS)
    return rate if rate > 0 else None


def _header(path: Path, field: int) -> float:
    capture = open_capture(path)
    value: float = capture.get(field)
    capture.release()
    return value
