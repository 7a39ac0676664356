"""A video file as a recording: frames at the times that the file gives them."""
# ruff: noqa: D102 - documented where Sequence declares them

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.cameras.intrinsics import find_camera
from monodepth_ros.data.images.file import CorruptFrame, RgbImage
from monodepth_ros.data.images.video import frame_rate, is_video, open_capture
from monodepth_ros.data.natural_order import natural_order
from monodepth_ros.data.notes import print_once
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError, printable
from monodepth_ros.stamps import SECOND

_KEPT_BYTES = 100_000_000  # of decoded frames: threads ask for them not quite in order


def videos_in(folder: Path) -> list[Path]:
    """The video files of a folder."""
    visible = (file for file in folder.iterdir() if not file.name.startswith("."))
    videos = (file for file in visible if is_video(file) and file.is_file())
    return sorted(videos, key=lambda file: natural_order(file.name))


class VideoSequence(Sequence):
    """All frames of a video, upright as its metadata says; K.txt beside it, or a guessed camera.

    Frames are decoded forward; going back starts again at the beginning, because seeking in
    compressed video is not exact. Several threads may read.
    """

    def __init__(self, path: Path, capture: CaptureSettings) -> None:
        self._path = path
        self.name = path.stem
        self._lock = threading.Lock()
        self._reader: cv2.VideoCapture | None = None
        self._next = 0
        self._kept: OrderedDict[int, RgbImage] = OrderedDict()
        self._most_kept = 2
        times = self._look_through()
        self._frames = len(times)
        first = self.image(0)
        size = (first.shape[0], first.shape[1])
        self.camera, self.calibration = find_camera(path, path.with_name("K.txt"), size, capture)
        self._stamps = self._stamps_of(times, capture.fps)

    def _look_through(self) -> list[float]:
        """The presentation time in ms of every frame that can be decoded, by decoding them all."""
        reader = open_capture(self._path)
        times = []
        while reader.grab():
            times.append(float(reader.get(cv2.CAP_PROP_POS_MSEC)))
        claimed = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
        reader.release()
        if not times:
            raise UserError(f"{self._path}: not a video that OpenCV here can decode")
        if len(times) < 0.99 * claimed - 1:
            print_once(f"WARNING: {self._path}: {len(times)} of {claimed} frames can be decoded")
        return times

    def _stamps_of(self, times: list[float], fps: float | None) -> list[int] | None:
        """Nanoseconds of each frame: by --fps, by the file's own times, else by its header."""
        own = frame_rate(self._path)
        ascending = len(times) > 1 and bool((np.diff(times) > 0).all())
        if fps is not None:
            told = f"{fps:g} frames a second by --fps"
            stamps = [round(index * SECOND / fps) for index in range(len(times))]
        elif ascending:
            rate = 1000 / float(np.median(np.diff(times)))
            told = f"{rate:.5g} frames a second by its time stamps"
            stamps = [round((time - times[0]) * 1e6) for time in times]
        elif own is not None:
            told = f"{own:.5g} frames a second by its header"
            stamps = [round(index * SECOND / own) for index in range(len(times))]
        else:
            return None
        print_once(f"{self._path.name}: {len(times)} frames, {told}")
        return stamps

    def __len__(self) -> int:
        return self._frames

    def image(self, index: int) -> RgbImage:
        with self._lock:
            if index not in self._kept:
                self._decode_up_to(index)
            return self._kept[index]

    def _decode_up_to(self, index: int) -> None:
        if not 0 <= index < self._frames:
            raise IndexError(index)
        if self._reader is None or index < self._next:
            self._reader, self._next = open_capture(self._path), 0
        while self._next <= index:
            number, self._next = self._next, self._next + 1
            wanted = index - number < self._most_kept
            decoded = self._reader.grab()
            if decoded and wanted:
                decoded, bgr = self._reader.retrieve()
                if decoded:
                    self._keep(number, np.ascontiguousarray(bgr[:, :, ::-1], np.uint8))
            if number == index and not decoded:
                raise CorruptFrame(self._path, f"frame {index} cannot be decoded")

    def _keep(self, number: int, rgb: RgbImage) -> None:
        self._kept[number] = rgb
        self._most_kept = max(os.cpu_count() or 1, _KEPT_BYTES // rgb.nbytes, 2)
        while len(self._kept) > self._most_kept:
            self._kept.popitem(last=False)

    def frame_name(self, index: int) -> str:
        return printable(f"{self._path.stem}_{index:06d}")

    def files(self) -> Iterable[Path]:
        yield self._path

    def stamp_ns(self, index: int) -> int | None:
        return None if self._stamps is None else self._stamps[index]
