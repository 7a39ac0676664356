"""A recording as an undistorted camera would have made it: what the networks are trained on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage, RgbImage
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.data.sequence import Sequence


def rectified(sequence: Sequence) -> Sequence:
    """`sequence` itself when its camera has no distortion, otherwise its rectified view."""
    return RectifiedSequence(sequence) if sequence.camera.distorted else sequence


class RectifiedSequence(Sequence):
    """Images and depth of another sequence, undistorted; reflective masks are left out."""

    def __init__(self, distorted: Sequence) -> None:
        self._distorted = distorted
        self._rectifier = Rectifier(distorted.camera)
        self.name = distorted.name
        self.camera = self._rectifier.camera
        self.calibration = distorted.calibration
        self.number_rate = distorted.number_rate

    def __len__(self) -> int:
        return len(self._distorted)

    def image(self, index: int) -> RgbImage:
        """Uint8 HxWx3 RGB, rectified."""
        return self._rectifier.image(self._distorted.image(index))

    def frame_name(self, index: int) -> str:
        """The frame's name for people."""
        return self._distorted.frame_name(index)

    def files(self) -> Iterable[Path]:
        """All files that pixels come from."""
        return self._distorted.files()

    def depth(self, index: int) -> DepthImage | None:
        """True Z in metres, rectified; NaN where the distorted image does not reach."""
        depth = self._distorted.depth(index)
        return None if depth is None else self._rectifier.depth(depth)

    def pose(self, index: int) -> NDArray[np.float64] | None:
        """T_world_camera, 4x4."""
        return self._distorted.pose(index)

    def stamp_ns(self, index: int) -> int | None:
        """Time of exposure in nanoseconds."""
        return self._distorted.stamp_ns(index)

    def number(self, index: int) -> int:
        """The frame's number in the recording."""
        return self._distorted.number(index)

    def speed(self, index: int) -> float | None:
        """The camera's speed in m/s."""
        return self._distorted.speed(index)

    @property
    def has_depth(self) -> bool:
        """Whether any frame has true depth."""
        return self._distorted.has_depth

    @property
    def has_pose(self) -> bool:
        """Whether any frame has a true pose."""
        return self._distorted.has_pose

    @property
    def targets(self) -> Iterable[int]:
        """The frames to evaluate on."""
        return self._distorted.targets
