"""Pictures of a demo: image, depth, confidence, and the view from above with the trajectory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.visualisation.demo_picture import demo_picture
from monodepth_ros.visualisation.picture_file import write_png

_PICTURES = 6


@dataclass
class SentFrame:
    """A published image and its results so far; ``pose`` is ``T_odom_camera``."""

    frame: RecordedFrame
    depth: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    pose: NDArray[np.float64] | None = None

    @property
    def complete(self) -> bool:
        """Whether it has all results."""
        return not (self.depth is None or self.confidence is None or self.pose is None)


class DemoPictures:
    """Selects evenly spaced frames of a stream of unknown length, and draws them."""

    def __init__(self) -> None:
        self._frames: list[SentFrame] = []
        self._count, self._step = 0, 1

    def add(self, sent: SentFrame) -> None:
        """Offer a complete frame."""
        if self._count % self._step == 0:
            self._frames.append(sent)
            if len(self._frames) > 8 * _PICTURES:
                self._frames, self._step = self._frames[::2], 2 * self._step
        self._count += 1

    def draw(
        self, folder: Path, poses: NDArray[np.float64], truth: NDArray[np.float64] | None
    ) -> list[Path]:
        """Save the pictures, with estimated and true poses (N, 4, 4); returns their paths."""
        count = len(self._frames)
        picked = np.unique(np.linspace(0, count - 1, min(_PICTURES, count), dtype=int))
        paths = []
        for sent in (self._frames[k] for k in picked):
            assert sent.depth is not None and sent.pose is not None
            T_camera_world = np.linalg.inv(sent.pose)
            picture = demo_picture(
                sent.frame.rgb,
                sent.depth,
                sent.confidence,
                sent.frame.camera.undistorted().resized(*sent.depth.shape),
                (T_camera_world @ poses)[:, :3, 3],
                None if truth is None else (T_camera_world @ truth)[:, :3, 3],
            )
            paths.append(folder / f"{sent.frame.stamp / 1e9:06.2f}s.png")
            write_png(paths[-1], picture)
        return paths
