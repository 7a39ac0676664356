"""Means and depths of the pixels that count."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_mean(
    values: Tensor,
    counted: Tensor | None,
    over: tuple[int, ...] | None = None,
    keepdim: bool = False,
) -> Tensor:
    """Mean of ``values`` where ``counted`` (bool of that shape), over all or some dimensions.

    The plain mean where ``counted`` is None; 0 where nothing counts. ``values`` are finite.
    """
    if counted is None:
        return values.mean() if over is None else values.mean(over, keepdim=keepdim)
    over = tuple(range(values.dim())) if over is None else over
    number = counted.sum(over, keepdim=keepdim).clamp(min=1)
    return (values * counted).sum(over, keepdim=keepdim) / number


def known_depth(depth: Tensor, valid: Tensor | None) -> Tensor:
    """``depth`` ``(B, 1, H, W)``, NaN outside ``valid``."""
    return depth if valid is None else torch.where(valid, depth, torch.nan)
