"""The scale-invariant log loss.

Eigen et al., "Depth map prediction from a single image using a multi-scale deep network", 2014.
"""

from __future__ import annotations

from torch import Tensor

from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    LogDepthSettings,
    count,
)


class Silog(DepthTerm[LogDepthSettings]):
    """``mean e^2 - lambda (mean e)^2``."""

    def __call__(self, compared: Compared) -> Tensor:
        """As `silog`."""
        return silog(compared.difference, compared.valid, self.settings.scale_invariance)


def silog(difference: Tensor, valid: Tensor, scale_invariance: float = 0.5) -> Tensor:
    """``(B,)``: ``mean e^2 - lambda (mean e)^2`` of each image, 0 without valid pixels.

    ``difference`` ``e = log d - log d*`` ``(B, 1, H, W)`` is finite everywhere, ``valid`` bool.
    """
    pixels = count(valid)
    e = difference * valid
    return (
        e.square().sum((1, 2, 3)) / pixels - scale_invariance * (e.sum((1, 2, 3)) / pixels).square()
    )
