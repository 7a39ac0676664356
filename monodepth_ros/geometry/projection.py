"""Back-projection of depth maps to points and projection of points to pixels: tensors, no lens.

`lens` does the same of NumPy arrays, distortion included.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Keeps the division finite at the camera plane, as Monodepth2 does.
PROJECTION_EPSILON = 1e-7


def pixel_grid(
    height: int, width: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Integer pixel coordinates ``(2, height, width)``, x first."""
    axes = (torch.arange(count, device=device, dtype=dtype) for count in (width, height))
    return torch.stack(torch.meshgrid(*axes, indexing="xy"))


def inverse_intrinsics(K: Tensor) -> Tensor:
    """Closed-form inverse of upper-triangular ``K`` ``(..., 3, 3)``; works in every export."""
    fx, skew, cx = K[..., 0, 0], K[..., 0, 1], K[..., 0, 2]
    fy, cy = K[..., 1, 1], K[..., 1, 2]
    zero, one = torch.zeros_like(fx), torch.ones_like(fx)
    rows = [1 / fx, -skew / (fx * fy), (skew * cy - cx * fy) / (fx * fy)]
    rows += [zero, 1 / fy, -cy / fy, zero, zero, one]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def rays(K: Tensor, height: int, width: int) -> Tensor:
    """The ray of every pixel: ``(B, 3, height, width)`` with z = 1."""
    grid = pixel_grid(height, width, K.device, K.dtype).flatten(1)
    homogeneous = torch.cat([grid, torch.ones_like(grid[:1])])
    return (inverse_intrinsics(K) @ homogeneous).unflatten(-1, (height, width))


def backproject(depth: Tensor, K: Tensor) -> Tensor:
    """Points ``(B, 3, H, W)`` in the camera frame, metres, of ``depth`` ``(B, 1, H, W)``."""
    return depth * rays(K, *depth.shape[-2:])


def transform(T: Tensor, points: Tensor) -> Tensor:
    """Apply ``T`` ``(B, 4, 4)`` to point maps ``(B, 3, H, W)``."""
    moved = T[:, :3, :3] @ points.flatten(2) + T[:, :3, 3:]
    return moved.view_as(points)


def project(points: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels ``(B, 2, H, W)`` and depth z ``(B, 1, H, W)`` of points ``(B, 3, H, W)``.

    Points behind the camera are projected too; callers mask them by ``z``.
    """
    z = points[:, 2:3]
    x, y = (points[:, :2] / (z + PROJECTION_EPSILON)).unbind(1)
    return torch.stack(pixel_of_ray(x, y, K[..., None, None]), 1), z


def pixel_of_ray(x: Tensor, y: Tensor, K: Tensor) -> tuple[Tensor, Tensor]:
    """Where a ray through (x, y, 1) meets the image; ``K`` ``(B, 3, 3, ...)`` fits both."""
    return K[:, 0, 0] * x + K[:, 0, 1] * y + K[:, 0, 2], K[:, 1, 1] * y + K[:, 1, 2]
