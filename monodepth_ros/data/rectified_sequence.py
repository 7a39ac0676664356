"""A recording as an undistorted camera would have made it: what the networks are trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage, RgbImage
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.data.sequence import Sequence, SequenceView


def rectified(sequence: Sequence) -> Sequence:
    """`sequence` itself when its camera has no distortion, otherwise its rectified view."""
    return RectifiedSequence(sequence) if sequence.camera.distorted else sequence


class RectifiedSequence(SequenceView):
    """Images, depth and reflective masks of another sequence, undistorted."""

    def __init__(self, distorted: Sequence) -> None:
        super().__init__(distorted)
        self._rectifier = Rectifier(distorted.camera)
        self.camera = self._rectifier.camera

    def image(self, index: int) -> RgbImage:
        """Uint8 HxWx3 RGB, rectified."""
        return self._rectifier.image(super().image(index))

    def depth(self, index: int) -> DepthImage | None:
        """True Z in metres, rectified; NaN where the distorted image does not reach."""
        depth = super().depth(index)
        return None if depth is None else self._rectifier.depth(depth)

    def reflective(self, index: int) -> NDArray[np.bool_] | None:
        """Bool HxW, rectified; false where the distorted image does not reach."""
        mask = super().reflective(index)
        return None if mask is None else self._rectifier.depth(mask.astype(np.float32)) == 1
