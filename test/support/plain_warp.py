"""The warp in its plainest form, to compare the package with."""

from __future__ import annotations

from torch import Tensor

from monodepth_ros.geometry.projection import (
    backproject,
    inside,
    normalised_coordinates,
    project,
    sample_grid,
    transform,
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
