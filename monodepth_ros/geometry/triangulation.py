"""Depth of matched points by the motion between two views; tensors, differentiable in all of them.

A target's pixel is given, so the point lies on its ray, at the depth that fits the second view's
ray best. With rays ``x`` (z = 1) and ``z2 x2 = z1 R x1 + t``, the cross product with ``x2`` leaves
``0 = z1 (x2 x R x1) + x2 x t``, and least squares of it is a quotient without small differences.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from monodepth_ros.geometry.projection import inverse_intrinsics

_SMALLEST = 1e-12  # squared sine of a parallax that tells nothing: the depth stays finite


class Triangulation(NamedTuple):
    """Of N points ``(..., N)``: depth (z) in the first and second view, in the translation's unit,
    and the parallax: radians between both rays.

    A depth is negative where the rays part from each other.
    """

    first: Tensor
    second: Tensor
    parallax: Tensor


def triangulate(first: Tensor, second: Tensor, T_second_first: Tensor) -> Triangulation:
    """Where rays ``(..., N, 3)`` of two views meet, by a motion ``(..., 4, 4)``."""
    R, t = T_second_first[..., :3, :3], T_second_first[..., None, :3, 3]
    turned = first @ R.mT
    normal = torch.linalg.cross(second, turned)
    squared = normal.square().sum(-1)
    shift = torch.linalg.cross(second, t.expand_as(second))
    depth = -(shift * normal).sum(-1) / squared.clamp(min=_SMALLEST)
    sine = squared.clamp(min=_SMALLEST**2).sqrt()
    parallax = torch.atan2(sine, (second * turned).sum(-1))
    return Triangulation(depth, depth * turned[..., 2] + t[..., 2], parallax)


def rays_of_pixels(pixels: Tensor, K: Tensor) -> Tensor:
    """Rays ``(..., N, 3)``, z = 1, of ``pixels`` ``(..., N, 2)`` by ``K`` ``(..., 3, 3)``."""
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    return homogeneous @ inverse_intrinsics(K).mT
