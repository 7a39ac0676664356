"""The scale-invariant log loss.

Eigen et al., "Depth map prediction from a single image using a multi-scale deep network", 2014.
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    TermSettings,
    count,
)


class SilogSettings(TermSettings):
    """The paper's lambda is ``scale_invariance``."""

    scale_invariance: float = Field(0.5, ge=0, le=1, description="0: log-MSE, 1: blind to scale")


class Silog(DepthTerm[SilogSettings]):
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
