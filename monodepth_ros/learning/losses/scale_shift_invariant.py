"""Inverse depth but for its scale and shift.

Ranftl et al., "Towards robust monocular depth estimation", 2020 (MiDaS), equations 4 to 7; Yang et
al., "Depth Anything", CVPR 2024, learns from a teacher by the same, untrimmed.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from monodepth_ros.learning.losses.relative_depth import RelativeDepth


class ScaleShiftInvariant(RelativeDepth):
    """``1/(2M) sum rho(d - d*)`` over the M known pixels, of aligned inverse depths.

    ``rho`` is the absolute value, and the square of the form ``least_squares``.
    """

    name = "scale_shift_invariant"

    trim: float = Field(0.0, ge=0, lt=1, description="share of largest residuals left out")

    def measure(self, aligned: Tensor, label: Tensor, valid: Tensor) -> Tensor:
        """What is trimmed adds nothing; the divisor stays 2M, as published."""
        difference = torch.where(valid, aligned - label, 0.0).flatten(1)
        residuals = difference.square() if self.form == "least_squares" else difference.abs()
        count = valid.flatten(1).sum(1)
        if self.trim > 0:
            residuals = torch.where(valid.flatten(1), residuals, torch.inf).sort(1).values
            kept = count - (self.trim * count).floor().to(count.dtype)
            rank = torch.arange(residuals.shape[1], device=residuals.device)
            residuals = torch.where(rank < kept[:, None], residuals, 0.0)
        return residuals.sum(1) / (2 * count.clamp(min=1))
