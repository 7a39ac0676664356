"""Edge-aware smoothness of first order: surfaces face the camera unless the image has an edge.

Heise et al., "PM-Huber", 2013, as used by Godard et al., 2017 and 2019.
"""

from __future__ import annotations

from pydantic import NonNegativeFloat
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.edges import (
    EdgeAware,
    EdgeAwareSettings,
    Edges,
    Unit,
    between,
    steps,
)
from monodepth_ros.learning.losses.arithmetic.masked_mean import masked_mean


class SmoothnessSettings(EdgeAwareSettings):
    """The published weight."""

    weight: NonNegativeFloat = 1e-3


class Smoothness(EdgeAware):
    """``mean |dx d| exp(-decay |dx I|) + mean |dy d| exp(-decay |dy I|)``."""

    name = "smoothness"
    Settings = SmoothnessSettings

    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None) -> Tensor:
        """As `smoothness`."""
        return smoothness(disparity, edges, self.settings.unit, valid)


def smoothness(
    disparity: Tensor, weights: Edges, unit: Unit = "mean", valid: Tensor | None = None
) -> Tensor:
    """Scalar smoothness of ``disparity`` ``(B, 1, H, W)``, given the image's `edge_weights`.

    Forward differences of disparity in its ``unit``, in absolute value, weighted and averaged over
    those between two ``valid`` pixels (bool ``(B, 1, H, W)``; None for all).
    """
    along_x, along_y = steps(disparity, unit, valid)
    of_x, of_y = between(valid)
    return masked_mean(along_x.abs() * weights[0], of_x) + masked_mean(
        along_y.abs() * weights[1], of_y
    )
