"""Images and maps at other sizes."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


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
