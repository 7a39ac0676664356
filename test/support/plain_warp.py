"""Back-projection, projection and the warp in their plainest form, to compare the package with."""

from __future__ import annotations

import torch
from torch import Tensor

from monodepth_ros.geometry.projection import (
    PROJECTION_EPSILON,
    inside,
    inverse_intrinsics,
    normalised_coordinates,
    pixel_grid,
    pixel_of_ray,
    sample_grid,
)


def sample(image: Tensor, pixels: Tensor, padding: str = "border") -> Tensor:
    """``image`` ``(B, C, H, W)`` at ``pixels`` ``(B, 2, h, w)``, bilinear, centres at integers."""
    return sample_grid(image, normalised_coordinates(pixels, *image.shape[-2:]), padding)


def warp(
    source: Tensor, depth: Tensor, T_source_target: Tensor, K: Tensor, padding: str = "border"
) -> tuple[Tensor, Tensor]:
    """The source image rendered in the target view (Zhou et al., CVPR 2017).

    Args:
        source: image ``(B, C, H, W)``.
        depth: depth of the target view ``(B, 1, H, W)``, metres or relative.
        T_source_target: ``(B, 4, 4)``, maps points of the target camera to the source camera.
        K: intrinsics ``(B, 3, 3)`` of both, at this image size.

    Returns:
        The warped image ``(B, C, H, W)`` and its validity ``(B, 1, H, W)``: true where the pixel
        lands inside the source image and in front of its camera.
    """
    points = transform(T_source_target, backproject(depth, K))
    pixels, z = project(points, K)
    return sample(source, pixels, padding), inside(pixels, z, *source.shape[-2:])


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
