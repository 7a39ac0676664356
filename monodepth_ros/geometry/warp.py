"""View synthesis: sampling a source image where the target's pixels land in it.

`reprojection` holds the same warp in the form that training runs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.projection import backproject, project, transform

MIN_WARP_DEPTH = 1e-3


def normalised_coordinates(pixels: Tensor, height: int, width: int) -> Tensor:
    """Pixels ``(B, 2, h, w)`` as a ``grid_sample`` grid ``(B, h, w, 2)``, align_corners=True."""
    x = pixels[:, 0] * (2.0 / (width - 1)) - 1.0
    y = pixels[:, 1] * (2.0 / (height - 1)) - 1.0
    return torch.stack([x, y], -1)


def sample_grid(image: Tensor, grid: Tensor, padding: str = "border") -> Tensor:
    """``image`` ``(B, C, H, W)`` at normalised coordinates ``(B, h, w, 2)``, bilinear."""
    return F.grid_sample(image, grid, mode="bilinear", padding_mode=padding, align_corners=True)


def sample(image: Tensor, pixels: Tensor, padding: str = "border") -> Tensor:
    """``image`` ``(B, C, H, W)`` at ``pixels`` ``(B, 2, h, w)``, bilinear, centres at integers."""
    return sample_grid(image, normalised_coordinates(pixels, *image.shape[-2:]), padding)


def inside(pixels: Tensor, z: Tensor, height: int, width: int, margin: float = 0.0) -> Tensor:
    """Where ``pixels`` fall inside the image and in front of the camera: ``(B, 1, h, w)`` bool."""
    x, y = pixels[:, :1], pixels[:, 1:]
    horizontally = (x >= margin) & (x <= width - 1 - margin)
    vertically = (y >= margin) & (y <= height - 1 - margin)
    return horizontally & vertically & (z > MIN_WARP_DEPTH)


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
