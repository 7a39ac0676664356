"""Differences of the gradient of log depth.

Eigen and Fergus, "Predicting depth, surface normals and semantic labels with a common multi-scale
convolutional architecture", 2015.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.edges import Edges
from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    TermSettings,
    count,
)

Norm = Literal["squared", "absolute"]


class GradientSettings(TermSettings):
    """Squared as published; absolute leaves edges where they are."""

    norm: Norm = "squared"
    # Above 0, exp(-edge_decay |dI|) weighs the differences: not where the image has edges.
    edge_decay: float = Field(0.0, ge=0)


class Gradient(DepthTerm[GradientSettings]):
    """``1/n sum (dx e)^2 + (dy e)^2``."""

    def __call__(self, compared: Compared) -> Tensor:
        """As `gradient_difference`."""
        decay = self.settings.edge_decay
        edges = compared.edges(decay) if decay > 0 else None
        return gradient_difference(compared.difference, compared.valid, self.settings.norm, edges)


def gradient_difference(
    difference: Tensor, valid: Tensor, norm: Norm = "squared", weights: Edges | None = None
) -> Tensor:
    """``(B,)``: ``1/n sum (dx e)^2 + (dy e)^2`` over differences of two valid pixels.

    With ``norm`` ``absolute``, of ``|dx e| + |dy e|``. ``weights`` multiply the differences, as
    those of `edge_weights`. ``difference`` ``(B, 1, H, W)`` is finite everywhere, ``valid`` bool.
    """
    magnitude = torch.square if norm == "squared" else torch.abs
    along_x = difference[..., 1:] - difference[..., :-1]
    along_y = difference[..., 1:, :] - difference[..., :-1, :]
    if weights is not None:
        along_x, along_y = along_x * weights[0], along_y * weights[1]
    total = magnitude(along_x * (valid[..., 1:] & valid[..., :-1])).sum((1, 2, 3))
    total = total + magnitude(along_y * (valid[..., 1:, :] & valid[..., :-1, :])).sum((1, 2, 3))
    return total / count(valid)
