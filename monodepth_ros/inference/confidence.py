"""Confidence in depth by rule: does the network contradict itself, and is there anything to see?

It is no probability and not calibrated. A low value says that something is wrong, a high one does
not say that depth is right.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_WINDOW = 9  # network pixels along the side of what counts as a pixel's surroundings
_CONTRAST = 1.5 / 255  # standard deviation of grey there below which confidence falls, to 0 at 0
_BLACK, _WHITE = 2 / 255, 253 / 255


def confidence_of(image: Tensor, disparity: Tensor, mirrored: Tensor) -> Tensor:
    """``(H, W)`` from 0 to 1.

    Args:
        image: what the network saw, ``(1, 3, h, w)`` in [0, 1].
        disparity: of it, ``(H, W)``.
        mirrored: of the mirrored image, mirrored back.
    """
    seen = evidence(image)
    size = (disparity.shape[-2], disparity.shape[-1])
    if tuple(seen.shape[-2:]) != size:
        seen = F.interpolate(seen, size, mode="bilinear", align_corners=False)
    return agreement(disparity, mirrored) * seen[0, 0]


def agreement(one: Tensor, other: Tensor) -> Tensor:
    """The smaller over the larger of two disparities, 0 where either is not finite."""
    ratio = torch.minimum(one, other) / torch.maximum(one, other)
    return ratio.nan_to_num(0.0, 0.0, 0.0).clamp(0.0, 1.0)


def evidence(image: Tensor) -> Tensor:
    """How much an image ``(B, 3, h, w)`` in [0, 1] shows around each pixel: ``(B, 1, h, w)``.

    0 where it is black, white or of one colour, as of a covered lens, a lamp or a plain wall: the
    network guesses there, and guesses alike of the mirrored image. 1 from a contrast of 1.5 grey
    levels on.
    """
    grey = image.double().mean(1, keepdim=True)  # the difference of squares cancels in less
    mean, square = _around(grey), _around(grey * grey)
    contrast = (square - mean * mean).clamp(min=0).sqrt() / _CONTRAST
    clipped = (image.amax(1, keepdim=True) <= _BLACK) | (image.amin(1, keepdim=True) >= _WHITE)
    return contrast.clamp(max=1.0).float() * ~clipped


def _around(maps: Tensor) -> Tensor:
    return F.avg_pool2d(maps, _WINDOW, 1, _WINDOW // 2, count_include_pad=False)
