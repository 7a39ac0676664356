"""The warp as training runs it: several sources, and where pixels land as a function of 1/depth.

A test holds it equal to `warp.warp`.

With ``u`` the homogeneous target pixel and ``r = 1 / depth``, the projection ``K (R X + t)`` of its
point ``X = K^-1 u / r``, multiplied by ``r``, is ``q = (K R K^-1) u + r K t``: one matrix and one
vector for each source, shared by all scales and computed once. Pixels are in the coordinates of
``grid_sample``, -1 at the first centre and 1 at the last, and K leads to these: for the small
motions of a video the matrix is close to the identity and loses next to nothing to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from monodepth_ros.geometry.compilation import compiled_once
from monodepth_ros.geometry.projection import PROJECTION_EPSILON, inverse_intrinsics
from monodepth_ros.geometry.warp import sample_grid

# Below this, the division by q_z is not trusted; 0 / 0 must never reach the sampler.
_SMALLEST_Z = 1e-7


def source_projection(
    T_source_target: Tensor, K: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Homographies at infinity ``(B, S, 3, 3)`` and epipoles ``(B, S, 3)`` of S sources.

    For poses ``(B, S, 4, 4)`` and intrinsics ``(B, 3, 3)`` at this image size.
    """
    to_unit = K.new_tensor([[2 / (width - 1), 0, -1], [0, 2 / (height - 1), -1], [0, 0, 1]])
    K = (to_unit @ K)[:, None]
    homography = K @ T_source_target[..., :3, :3] @ inverse_intrinsics(K)
    epipole = (K @ T_source_target[..., :3, 3:]).squeeze(-1)
    return homography, epipole + PROJECTION_EPSILON * to_unit[:, 2]


def sampling_coordinates(
    inverse_depth: Tensor, homography: Tensor, epipole: Tensor, compiled: bool = False
) -> Tensor:
    """Coordinates in [-1, 1] at which to sample the sources: ``(B, S, 2, H, W)``, x first.

    Args:
        inverse_depth: of the target, ``(B, 1, H, W)``.
        homography: ``(B, S, 3, 3)``.
        epipole: ``(B, S, 3)``.
        compiled: whether torch.compile fuses the arithmetic.
    """
    return _SamplingCoordinates.apply(inverse_depth, homography, epipole, compiled)


def sample_sources(sources: Tensor, coordinates: Tensor, padding: str) -> Tensor:
    """``sources`` ``(B, S, C, H, W)`` at `sampling_coordinates` ``(B, S, 2, h, w)``, bilinear."""
    grid = coordinates.flatten(0, 1).permute(0, 2, 3, 1)
    return sample_grid(sources.flatten(0, 1), grid, padding).unflatten(0, coordinates.shape[:2])


class _SamplingCoordinates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, inverse_depth: Tensor, homography: Tensor, epipole: Tensor, compiled: bool
    ) -> Tensor:
        project = compiled_once(_project) if compiled else _project
        coordinates, z = project(inverse_depth, homography, epipole)
        ctx.save_for_backward(inverse_depth, epipole, coordinates, z)
        ctx.compiled = compiled
        return coordinates

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        adjoint = compiled_once(_project_adjoint) if ctx.compiled else _project_adjoint
        return (*adjoint(gradient, *ctx.saved_tensors), None)


def _project(inverse_depth: Tensor, homography: Tensor, epipole: Tensor) -> tuple[Tensor, Tensor]:
    x, y = _axes(inverse_depth)
    along_x = (homography[..., :1] * x).unsqueeze(-2)
    along_y = (homography[..., 1:2] * y + homography[..., 2:]).unsqueeze(-1)
    q = along_x + along_y + epipole[..., None, None] * inverse_depth[:, None]
    z = q[:, :, 2:]
    z = torch.where(z.abs() < _SMALLEST_Z, _SMALLEST_Z, z)
    return q[:, :, :2] / z, z


def _project_adjoint(
    gradient: Tensor, inverse_depth: Tensor, epipole: Tensor, coordinates: Tensor, z: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    by_xy = gradient / z
    by_q = torch.cat([by_xy, -(by_xy * coordinates).sum(2, keepdim=True)], 2)
    by_inverse_depth = (by_q * epipole[..., None, None]).sum((1, 2)).unsqueeze(1)
    by_epipole = (by_q * inverse_depth[:, None]).sum((-2, -1))
    x, y = _axes(inverse_depth)
    over_columns, over_rows = by_q.sum(-2), by_q.sum(-1)
    by_homography = torch.stack(
        [(over_columns * x).sum(-1), (over_rows * y).sum(-1), over_rows.sum(-1)], -1
    )
    return by_inverse_depth, by_homography, by_epipole


def _axes(image: Tensor) -> tuple[Tensor, Tensor]:
    height, width = image.shape[-2:]
    return (
        torch.linspace(-1, 1, width, dtype=image.dtype, device=image.device),
        torch.linspace(-1, 1, height, dtype=image.dtype, device=image.device),
    )
