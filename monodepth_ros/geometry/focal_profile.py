"""Which focal length the motion of points between two images fits, by the epipolar constraint.

Under a camera that turns and moves, points of a rigid scene keep an epipolar geometry whose
essential matrix has five degrees of freedom. With a wrong focal length no such motion fits them
well (Hartley and Zisserman, "Multiple View Geometry", 2004, chapter 19). Pure translation fits
under every focal length: the profile is flat then, and says so.
"""

from __future__ import annotations

import torch
from torch import Tensor

from monodepth_ros.geometry.se3 import rotation_from_axis_angle, skew

_PIXELS = 0.5  # of the Cauchy loss: what a tracked point errs
_ITERATIONS = 6
_DIFFERENCE = 1e-5  # of the numeric Jacobian


def focal_profile(
    first: Tensor, second: Tensor, K: Tensor, scales: Tensor, rotation: Tensor, translation: Tensor
) -> Tensor:
    """The least epipolar error under each scale of the focal length, ``(S,)``.

    Args:
        first: pixels ``(N, 2)``, float64, of points in an undistorted image.
        second: pixels ``(N, 2)`` of the same points in the other.
        K: ``(3, 3)``.
        scales: ``(S,)``, of both focal lengths of K.
        rotation: axis-angle ``(3,)`` under K to start from: points of the first camera are turned
            and moved into the second.
        translation: ``(3,)``, up to scale.
    """
    inverse = torch.linalg.inv(K)[None] * torch.ones(len(scales), 3, 3, dtype=K.dtype)
    inverse[:, :2] = inverse[:, :2] / scales[:, None, None]
    # A turn moves pixels by the focal length times its angle, and so does a sideways motion.
    sideways = torch.cat([rotation, translation[:2]]) / scales[:, None]
    motion = torch.cat([sideways, translation[2:].expand(len(scales), 1)], 1)
    return _minimised(motion, inverse, _homogeneous(first), _homogeneous(second))


def _minimised(motion: Tensor, inverse: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Levenberg-Marquardt on motions ``(S, 6)`` (axis-angle, translation), of all at once."""

    def residuals(motion: Tensor) -> Tensor:
        return _sampson_distances(motion, inverse, first, second)

    count = len(motion)
    damping = torch.full((count,), 1e-3, dtype=motion.dtype)
    errors = residuals(motion)
    loss = _cauchy(errors)
    for _ in range(_ITERATIONS):
        steps = torch.eye(6, dtype=motion.dtype) * _DIFFERENCE
        J = torch.stack([(residuals(motion + s) - errors) / _DIFFERENCE for s in steps], -1)
        weighted = J / (1 + (errors / _PIXELS) ** 2)[..., None]
        H = weighted.mT @ J
        gradient = (weighted.mT @ errors[..., None])[..., 0]
        diagonal = torch.diagonal(H, dim1=1, dim2=2)
        H = H + torch.diag_embed(damping[:, None] * diagonal + 1e-9)
        moved = motion - torch.linalg.solve(H, gradient)
        moved[:, 3:] = torch.nn.functional.normalize(moved[:, 3:], dim=1)
        moved_errors = residuals(moved)
        moved_loss = _cauchy(moved_errors)
        better = moved_loss < loss
        motion = torch.where(better[:, None], moved, motion)
        errors = torch.where(better[:, None], moved_errors, errors)
        loss = torch.where(better, moved_loss, loss)
        damping = torch.where(better, 0.3 * damping, 5 * damping)
    return loss


def _sampson_distances(motion: Tensor, inverse: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Distances ``(S, N)`` in pixels of pairs of points from the epipolar geometry of motions."""
    E = skew(motion[:, 3:]) @ rotation_from_axis_angle(motion[:, :3])
    F = inverse.mT @ E @ inverse
    lines_in_second = first @ F.mT
    lines_in_first = second @ F
    squared = (lines_in_second[..., :2] ** 2 + lines_in_first[..., :2] ** 2).sum(-1)
    return (second * lines_in_second).sum(-1) / torch.sqrt(squared + 1e-18)


def _cauchy(errors: Tensor) -> Tensor:
    return torch.log1p((errors / _PIXELS) ** 2).sum(-1)


def _homogeneous(points: Tensor) -> Tensor:
    return torch.cat([points, torch.ones_like(points[:, :1])], 1)
