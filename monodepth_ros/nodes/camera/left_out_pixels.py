"""How many pixels of depth `min_confidence` leaves out."""

from __future__ import annotations

import numpy as np

from monodepth_ros.inference.depth_estimator import DepthPrediction


class LeftOutPixels:
    """Counts them since the start of the node; written by the worker, read for diagnostics."""

    def __init__(self) -> None:
        self._count = 0
        self._share = 0.0  # of the last image's valid pixels

    def add(self, prediction: DepthPrediction, kept: DepthPrediction) -> None:
        """A prediction, and what is published of it."""
        if kept is prediction:
            return
        valid, left = (int(np.isfinite(each.disparity).sum()) for each in (prediction, kept))
        self._count += valid - left
        self._share = (valid - left) / max(valid, 1)

    def facts(self) -> dict[str, str]:
        """The count, and the share of the last image."""
        return {
            "pixels below min_confidence": str(self._count),
            "pixels below min_confidence, last image (%)": f"{100 * self._share:.1f}",
        }
