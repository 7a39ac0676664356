"""Edges of inverse depth where its labels have them, however large.

Ranftl et al., "Towards robust monocular depth estimation", 2020 (MiDaS), equation 11, after Li and
Snavely, "MegaDepth", 2018.
"""

from __future__ import annotations

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.edges import between, steps
from monodepth_ros.learning.losses.relative_depth import RelativeDepth


class GradientMatching(RelativeDepth):
    """``1/M sum_k sum |dx R_k| + |dy R_k|`` of the differences ``R`` of aligned inverse depths.

    ``R_k`` is every ``2^(k-1)``-th pixel of R; a gradient counts where both its pixels are known.
    """

    name = "gradient_matching"
    weight: NonNegativeFloat = 0.5

    levels: PositiveInt = 4  # K

    def measure(self, aligned: Tensor, label: Tensor, valid: Tensor) -> Tensor:
        """M is the number of known pixels of the finest level."""
        difference = torch.where(valid, aligned - label, 0.0)
        total = difference.new_zeros(len(difference))
        for level in range(self.levels):
            every = (..., slice(None, None, 2**level), slice(None, None, 2**level))
            for step, both in zip(steps(difference[every]), between(valid[every]), strict=True):
                total = total + (step.abs() * both).sum((1, 2, 3))
        return total / valid.sum((1, 2, 3)).clamp(min=1)
