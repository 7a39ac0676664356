"""Rigid motions: SO(3) and SE(3) exponential, logarithm and inverse, batched and differentiable.

Every series switches to its Taylor expansion near zero rotation, so values and gradients stay
finite there. Twists are ordered translation first: ``xi = [v, w]`` (metres, radians).
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALL_ANGLE_SQUARED = 1e-6


def skew(w: Tensor) -> Tensor:
    """Cross-product matrix ``[w]_x`` of vectors ``(..., 3)`` as ``(..., 3, 3)``."""
    x, y, z = w.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def rotation_from_axis_angle(w: Tensor) -> Tensor:
    """Rotations ``(..., 3, 3)`` of axis-angle vectors ``(..., 3)`` in radians (Rodrigues)."""
    sin_term, cos_term, _ = _rodrigues_coefficients(w)
    W = skew(w)
    return _identity_like(W) + sin_term * W + cos_term * (W @ W)


def axis_angle_from_rotation(R: Tensor) -> Tensor:
    """Axis-angle vectors ``(..., 3)`` in radians, of norm at most pi, of rotations ``(..., 3, 3)``.

    Goes through the unit quaternion, so that it stays accurate near zero and near pi.
    """
    q = quaternion_from_rotation(R)
    q = torch.where(q[..., :1] < 0, -q, q)
    real, imaginary = q[..., :1], q[..., 1:]
    squared = (imaginary * imaginary).sum(-1, keepdim=True)
    small = squared < _SMALL_ANGLE_SQUARED
    norm = torch.sqrt(torch.where(small, torch.ones_like(squared), squared))
    series = 2.0 / real.clamp(min=0.5) - (2.0 / 3.0) * squared / real.clamp(min=0.5) ** 3
    factor = torch.where(small, series, 2.0 * torch.atan2(norm, real) / norm)
    return factor * imaginary


def quaternion_from_rotation(R: Tensor) -> Tensor:
    """Unit quaternions ``(..., 4)`` ordered ``w, x, y, z`` of rotations ``(..., 3, 3)``.

    Of the four equivalent formulas the best conditioned is taken for each matrix (Shepperd, 1978).
    """
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = R.flatten(-2).unbind(-1)
    candidates = torch.stack(
        [
            torch.stack([1 + r00 + r11 + r22, r21 - r12, r02 - r20, r10 - r01], -1),
            torch.stack([r21 - r12, 1 + r00 - r11 - r22, r10 + r01, r02 + r20], -1),
            torch.stack([r02 - r20, r10 + r01, 1 - r00 + r11 - r22, r21 + r12], -1),
            torch.stack([r10 - r01, r02 + r20, r21 + r12, 1 - r00 - r11 + r22], -1),
        ],
        -2,
    )
    best = torch.diagonal(candidates, dim1=-2, dim2=-1).argmax(-1)
    index = best[..., None, None].expand(*best.shape, 1, 4)
    chosen = candidates.gather(-2, index).squeeze(-2)
    return chosen / chosen.norm(dim=-1, keepdim=True)


def exp(xi: Tensor) -> Tensor:
    """Transforms ``(..., 4, 4)`` of twists ``(..., 6) = [v, w]``: ``[exp(w) | V(w) v]``."""
    v, w = xi[..., :3], xi[..., 3:]
    sin_term, cos_term, cubic_term = _rodrigues_coefficients(w)
    W = skew(w)
    WW = W @ W
    identity = _identity_like(W)
    R = identity + sin_term * W + cos_term * WW
    V = identity + cos_term * W + cubic_term * WW
    return from_rotation_translation(R, (V @ v[..., None]).squeeze(-1))


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


def inverse(T: Tensor) -> Tensor:
    """Inverse transforms ``[R^T | -R^T t]`` of ``(..., 4, 4)``."""
    R_inverse = T[..., :3, :3].transpose(-1, -2)
    t = -(R_inverse @ T[..., :3, 3:]).squeeze(-1)
    return from_rotation_translation(R_inverse, t)


def from_rotation_translation(R: Tensor, t: Tensor) -> Tensor:
    """Transforms ``(..., 4, 4)`` from rotations ``(..., 3, 3)`` and translations ``(..., 3)``."""
    top = torch.cat([R, t[..., None]], -1)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1.0
    return torch.cat([top, bottom], -2)


def from_axis_angle_translation(axis_angle: Tensor, translation: Tensor) -> Tensor:
    """``[R(axis_angle) | translation]`` as ``(..., 4, 4)``: the pose network's output."""
    return from_rotation_translation(rotation_from_axis_angle(axis_angle), translation)


def _rodrigues_coefficients(w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``sin(a)/a``, ``(1-cos(a))/a^2`` and ``(a-sin(a))/a^3``, each ``(..., 1, 1)``."""
    squared = (w * w).sum(-1)[..., None, None]
    small = squared < _SMALL_ANGLE_SQUARED
    safe = torch.where(small, torch.ones_like(squared), squared)
    angle = torch.sqrt(safe)
    sin_term = torch.where(small, 1.0 - squared / 6.0, torch.sin(angle) / angle)
    half_sinc = torch.sin(0.5 * angle) / (0.5 * angle)  # 1 - cos cancels for small angles
    cos_term = torch.where(small, 0.5 - squared / 24.0, 0.5 * half_sinc * half_sinc)
    cubic_term = torch.where(
        small, 1.0 / 6.0 - squared / 120.0, (angle - torch.sin(angle)) / (safe * angle)
    )
    return sin_term, cos_term, cubic_term


def _identity_like(W: Tensor) -> Tensor:
    return torch.eye(3, dtype=W.dtype, device=W.device).expand_as(W)
