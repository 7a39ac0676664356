"""Angles between surface normals.

Hu et al., "Revisiting single image depth estimation: toward higher resolution maps with accurate
object boundaries", 2019.
"""

from __future__ import annotations

from pydantic import NonNegativeFloat
from torch import Tensor

from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    TermSettings,
    count,
    surface_normals,
)


class NormalSettings(TermSettings):
    """Angles are large beside differences of log depth."""

    weight: NonNegativeFloat = 0.05


class Normal(DepthTerm[NormalSettings]):
    """``mean 1 - n . n*``."""

    def __call__(self, compared: Compared) -> Tensor:
        """As `normal_difference`."""
        truth, s = compared.truth, compared.s
        normals = surface_normals(compared.inverse_depth, truth.K[s])
        return normal_difference(normals, truth.normals[s], truth.normals_valid[s])


def normal_difference(normals: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """``(B,)``: mean of ``1 - n . n*`` over valid normals, 0 without any."""
    distance = 1 - (normals * truth).sum(1, keepdim=True)
    return (distance * valid).sum((1, 2, 3)) / count(valid)
