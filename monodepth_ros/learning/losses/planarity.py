"""Edge-aware smoothness of second order: surfaces are planes of any slant between edges.

Woodford et al., "Global stereo reconstruction under second-order smoothness priors", 2009.
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


class PlanaritySettings(EdgeAwareSettings):
    """A weight that suits plain indoor walls."""

    weight: NonNegativeFloat = 0.2


class Planarity(EdgeAware):
    """``mean |dxx d| exp(...)`` and along y, each weighted by both steps that it compares."""

    name = "planarity"
    Settings = PlanaritySettings

    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None) -> Tensor:
        """As `planarity`."""
        return planarity(disparity, edges, self.settings.unit, valid)


def planarity(
    disparity: Tensor, weights: Edges, unit: Unit = "mean", valid: Tensor | None = None
) -> Tensor:
    """Second-order smoothness: 0 for a plane, as its disparity is linear in the pixel.

    Second differences of ``disparity`` ``(B, 1, H, W)`` in its ``unit``, in absolute value, each
    weighted by the product of the `edge_weights` of both steps that it compares, so that a step or
    a fold on an edge of the image is cheap.
    """
    along_x, along_y = steps(disparity, unit, valid)
    of_x, of_y = weights
    inner_x, inner_y = between(valid)
    if inner_x is not None and inner_y is not None:
        inner_x = inner_x[..., 1:] & inner_x[..., :-1]
        inner_y = inner_y[..., 1:, :] & inner_y[..., :-1, :]
    bend_x = (along_x[..., 1:] - along_x[..., :-1]).abs() * of_x[..., 1:] * of_x[..., :-1]
    bend_y = (
        (along_y[..., 1:, :] - along_y[..., :-1, :]).abs() * of_y[..., 1:, :] * of_y[..., :-1, :]
    )
    return masked_mean(bend_x, inner_x) + masked_mean(bend_y, inner_y)
