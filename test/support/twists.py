"""SE(3) exponential and logarithm, batched and differentiable.

Every series switches to its Taylor expansion near zero rotation, so values and gradients stay
finite there. Twists are ordered translation first: ``xi = [v, w]`` (metres, radians).
"""

from __future__ import annotations

import torch
from torch import Tensor

from monodepth_ros.geometry.se3 import (
    axis_angle_from_rotation,
    from_rotation_translation,
    rotation_from_axis_angle,
    skew,
)

_SMALL_ANGLE_SQUARED = 1e-6


def exp(xi: Tensor) -> Tensor:
    """Transforms ``(..., 4, 4)`` of twists ``(..., 6) = [v, w]``: ``[exp(w) | V(w) v]``."""
    v, w = xi[..., :3], xi[..., 3:]
    squared = (w * w).sum(-1)[..., None, None]
    small = squared < _SMALL_ANGLE_SQUARED
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = torch.sqrt(safe)
    half_sinc = torch.sin(0.5 * angle) / (0.5 * angle)  # 1 - cos cancels for small angles
    cos_term = torch.where(small, 0.5 - squared / 24.0, 0.5 * half_sinc * half_sinc)
    cubic_term = torch.where(
        small, 1.0 / 6.0 - squared / 120.0, (angle - torch.sin(angle)) / (safe * angle)
    )
    W = skew(w)
    V = _identity_like(W) + cos_term * W + cubic_term * (W @ W)
    return from_rotation_translation(rotation_from_axis_angle(w), (V @ v[..., None]).squeeze(-1))


def log(T: Tensor) -> Tensor:
    """Twists ``(..., 6) = [v, w]`` of transforms ``(..., 4, 4)``; the inverse of :func:`exp`."""
    w = axis_angle_from_rotation(T[..., :3, :3])
    squared = (w * w).sum(-1, keepdim=True)[..., None]
    small = squared < _SMALL_ANGLE_SQUARED
    safe = torch.where(small, torch.ones_like(squared), squared)
    half = 0.5 * torch.sqrt(safe)
    # (1 - (theta/2) cot(theta/2)) / theta^2, with its limit 1/12 + theta^2/720.
    factor = torch.where(small, 1.0 / 12.0 + squared / 720.0, (1.0 - half / torch.tan(half)) / safe)
    W = skew(w)
    V_inverse = _identity_like(W) - 0.5 * W + factor * (W @ W)
    v = (V_inverse @ T[..., :3, 3:]).squeeze(-1)
    return torch.cat([v, w], -1)


def _identity_like(W: Tensor) -> Tensor:
    return torch.eye(3, dtype=W.dtype, device=W.device).expand_as(W)
