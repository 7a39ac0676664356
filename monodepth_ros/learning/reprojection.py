"""Where the target's pixels land in the sources, as a function of inverse depth.

With ``u`` the homogeneous target pixel and ``r = 1 / depth``, the projection ``K (R depth K^-1 u + t)`` divided by
the depth is ``q = (K R K^-1) u + r K t``: one matrix and one vector for each source, shared by
all scales and computed once. Both carry the scaling to the coordinates in [-1, 1] that
``grid_sample`` wants.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from monodepth_ros.geometry.projection import PROJECTION_EPSILON, inverse_intrinsics, pixel_grid

# Below this, the division by q_z is not trusted; 0 / 0 must never reach the sampler.
_SMALLEST_Z = 1e-7


def source_projection(
    T_source_target: Tensor, K: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Homographies at infinity ``(B, S, 3, 3)`` and epipoles ``(B, S, 3)`` of S sources.

    For poses ``(B, S, 4, 4)`` and intrinsics ``(B, 3, 3)`` at this image size.
    """
    K = K[:, None]
    homography = K @ T_source_target[..., :3, :3] @ inverse_intrinsics(K)
    epipole = (K @ T_source_target[..., :3, 3:]).squeeze(-1)
    epipole = epipole + epipole.new_tensor([0.0, 0.0, PROJECTION_EPSILON])
    normalise = homography.new_tensor(
        [[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]]
    )
    return normalise @ homography, epipole @ normalise.T


def homogeneous_pixels(height: int, width: int, like: Tensor) -> Tensor:
    """``[x, y, 1]`` of every pixel, ``(3, H, W)``, of the dtype and device of ``like``."""
    grid = pixel_grid(height, width, like.device, like.dtype)
    return torch.cat([grid, torch.ones_like(grid[:1])])


def sampling_coordinates(
    inverse_depth: Tensor, homography: Tensor, epipole: Tensor, at_infinity: Tensor, pixels: Tensor
) -> Tensor:
    """Coordinates in [-1, 1] at which to sample the sources: ``(B, S, 2, H, W)``, x first.

    Args:
        inverse_depth: of the target, ``(B, 1, H, W)``.
        homography: ``(B, S, 3, 3)``.
        epipole: ``(B, S, 3)``.
        at_infinity: ``homography`` applied to ``pixels``, ``(B, S, 3, H, W)``: scales share it.
        pixels: :func:`homogeneous_pixels`.
    """
    return _SamplingCoordinates.apply(inverse_depth, homography, epipole, at_infinity, pixels)


class _SamplingCoordinates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        inverse_depth: Tensor,
        homography: Tensor,
        epipole: Tensor,
        at_infinity: Tensor,
        pixels: Tensor,
    ) -> Tensor:
        q = torch.addcmul(at_infinity, epipole[..., None, None], inverse_depth[:, None])
        z = q[:, :, 2:]
        z.masked_fill_(z.abs() < _SMALLEST_Z, _SMALLEST_Z)
        coordinates = q[:, :, :2].div_(z)
        ctx.save_for_backward(inverse_depth, epipole, coordinates, z, pixels)
        return coordinates

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inverse_depth, epipole, coordinates, z, pixels = ctx.saved_tensors
        by_q = torch.empty_like(gradient[:, :, :1]).repeat(1, 1, 3, 1, 1)
        by_xy = torch.div(gradient, z, out=by_q[:, :, :2])
        by_q[:, :, 2] = (by_xy * coordinates).sum(2).neg_()
        by_q = by_q.flatten(3)
        by_homography = by_q @ pixels.flatten(1).T
        by_epipole = (by_q @ inverse_depth.flatten(1)[:, None, :, None]).squeeze(-1)
        by_inverse_depth = epipole.flatten(1)[:, None] @ by_q.flatten(1, 2)
        return by_inverse_depth.view_as(inverse_depth), by_homography, by_epipole, None, None
