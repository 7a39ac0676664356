"""Masks of valid pixels, bool ``(B, C, H, W)``, under what is done to images."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def eroded(valid: Tensor, pixels: int) -> Tensor:
    """True where the window of ``2 pixels + 1`` around a pixel holds nothing invalid."""
    return F.max_pool2d((~valid).float(), 2 * pixels + 1, 1, pixels) == 0


def shrunk(valid: Tensor, size: tuple[int, int]) -> Tensor:
    """At ``size`` (height, width): true where `adaptive_avg_pool2d` averages valid pixels alone."""
    if tuple(valid.shape[-2:]) == size:
        return valid
    return F.adaptive_max_pool2d((~valid).float(), size) == 0
