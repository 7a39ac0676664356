"""Images and maps: their means over the pixels that count, and other sizes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


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


def image_size(x: Tensor) -> tuple[int, int]:
    """Height and width of ``(..., H, W)``."""
    return x.shape[-2], x.shape[-1]


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """``x`` ``(B, C, h, w)`` at ``size`` (height, width), bilinear."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def resize_to_fit(image: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """``image`` ``(B, C, H, W)`` at each of ``sizes`` (height, width), finest first.

    Each is averaged down from the one before, on the device; the reference resizes by Lanczos when
    it loads, so that its edges at coarse scales are slightly crisper.
    """
    resized = []
    for size in sizes:
        if image.shape[-2:] != size:
            image = F.adaptive_avg_pool2d(image, size)
        resized.append(image)
    return resized
