"""Maps without their scale and shift: by median and mean deviation, or by least squares.

Ranftl et al., "Towards robust monocular depth estimation: mixing datasets for zero-shot
cross-dataset transfer", 2020, there of disparity.
"""

from __future__ import annotations

import torch
from torch import Tensor

_PIXELS = (1, 2, 3)
# Below this share of its size, a map has no relief whose scale could be told from its shift.
_FLAT = 1e-4


def normalised(x: Tensor, valid: Tensor, shift: bool = True) -> Tensor:
    """``(x - t) / s`` with the median ``t`` and the mean deviation ``s = mean |x - t|`` of each.

    ``x`` is ``(B, 1, H, W)``, finite, ``valid`` bool of that shape. A flat map becomes about zero;
    the median of an even number of pixels is the lower one of the middle. Without ``shift`` only
    the scale is taken out: ``t`` is 0.
    """
    middle = torch.zeros_like(x[:, :, :1, :1])
    if shift:
        known = torch.where(valid, x, torch.nan).flatten(1)
        middle = known.nanmedian(1).values.nan_to_num(0.0)[:, None, None, None]
    deviation = (x - middle) * valid
    spread = deviation.abs().sum(_PIXELS, keepdim=True) / _count(valid)
    peak = (x.detach() * valid).abs().amax(_PIXELS, keepdim=True)
    least = (_FLAT * peak).clamp(min=torch.finfo(x.dtype).tiny ** 0.5)
    return deviation / torch.maximum(spread, least)


def fitted(x: Tensor, to: Tensor, valid: Tensor, shift: bool = True) -> Tensor:
    """``s x + t`` with the scale and shift of each map that minimise ``sum (s x + t - to)^2``.

    All are ``(B, 1, H, W)``, ``valid`` bool. A flat map, whose normal equations have no
    determinant, becomes the mean of ``to``. Without ``shift``, ``t`` is 0.
    """
    count = _count(valid) if shift else torch.inf
    mean, wanted = ((m * valid).sum(_PIXELS, keepdim=True) / count for m in (x, to))
    deviation = (x - mean) * valid
    variance = deviation.square().sum(_PIXELS, keepdim=True)
    size = (x.detach() * valid).square().sum(_PIXELS, keepdim=True)
    has_relief = variance > _FLAT**2 * size
    covariance = (deviation * (to - wanted)).sum(_PIXELS, keepdim=True)
    scale = torch.where(has_relief, covariance / torch.where(has_relief, variance, 1.0), 0.0)
    return scale * (x - mean) + wanted


def _count(valid: Tensor) -> Tensor:
    return valid.sum(_PIXELS, keepdim=True).clamp(min=1)
