"""Absolute differences of log depth: squares would rather blur an edge than misplace it.

After Ranftl et al., "Towards robust monocular depth estimation", 2020, there of aligned disparity.
"""

from __future__ import annotations

import torch
from torch import Tensor

from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    LogDepthSettings,
    count,
)


class Absolute(DepthTerm[LogDepthSettings]):
    """``(1 - lambda) mean |e| + lambda mean |e - median e|``."""

    def __call__(self, compared: Compared) -> Tensor:
        """As `absolute_log`."""
        return absolute_log(compared.difference, compared.valid, self.settings.scale_invariance)


def absolute_log(difference: Tensor, valid: Tensor, scale_invariance: float = 0.5) -> Tensor:
    """``(B,)``: ``(1 - lambda) mean |e| + lambda mean |e - median e|``, 0 without valid pixels.

    ``difference`` ``e = log d - log d*`` ``(B, 1, H, W)`` is finite everywhere, ``valid`` bool.
    """
    pixels = count(valid)
    by_image = torch.where(valid, difference, torch.nan).flatten(1)
    median = by_image.nanmedian(1).values.nan_to_num(0.0)[:, None, None, None]
    plain, aligned = (
        ((difference - shift) * valid).abs().sum((1, 2, 3)) / pixels for shift in (0.0, median)
    )
    return (1 - scale_invariance) * plain + scale_invariance * aligned
