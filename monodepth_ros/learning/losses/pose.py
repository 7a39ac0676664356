"""Motions of the pose network compared with true ones, or with those refined by depth.

Our choice, in the unit of parallax: a rotation by ``w`` shifts the image by about ``f |w|`` pixels,
a translation by ``t`` by about ``f |t| / Z``. Their sum over ``f`` needs no weight between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.learning.losses.arithmetic.maps import known_depth
from monodepth_ros.learning.losses.loss import Loss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

_ROUNDING = 1e-6  # keeps the gradient of a norm finite at zero; radians


class Pose(Loss):
    """The pose network learns from true poses."""

    name = "pose"
    needs = frozenset({"neighbours", "poses", "depth"})
    teaches = frozenset({"pose"})

    def __call__(self, step: Step) -> Terms:
        """Averaged over images and neighbours."""
        return Terms(self._differences(step).mean())

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """Of each image, where there is truth."""
        return {"pose": self._differences(step)} if "depth" in step.batch else {}

    def _differences(self, step: Step) -> Tensor:
        return motion_difference(step.T, step.true_T, step.true_depth)


class Consistency(Loss):
    """The network's motions drawn to better ones that views are synthesised by.

    These are refined by depth (SA4Depth, methods of its kind), or ``view_synthesis.poses``.
    """

    name = "consistency"
    needs = frozenset({"neighbours"})
    teaches = frozenset({"pose"})

    def __call__(self, step: Step) -> Terms:
        """They count as true; refined ones by their share: 0 until they take over."""
        refined = step.poses == "network"
        share = step.refined_share if refined else 1.0
        if share == 0:
            return Terms(step.target.new_zeros(()))
        truth = (step.refined.T if refined else step.unrefined).detach()
        depth = known_depth(1 / step.inverse_depths[0].detach(), step.valid)
        return Terms(share * motion_difference(step.T, truth, depth).mean())


def motion_difference(T: Tensor, truth: Tensor, depth: Tensor) -> Tensor:
    """``(B,)``: rotation left over in radians, plus translation left over in scene depths.

    Args:
        T: ``(B, N, 4, 4)``, maps points of the target camera to each neighbour's.
        truth: the same of true poses; NaN where there is none, which adds zero.
        depth: true depth of the target ``(B, 1, H, W)`` in metres; what is not finite or not
            positive is unknown. A target without any known depth adds zero.
    """
    inverse_depth = _mean_inverse_depth(depth)[:, None]
    known = truth.isfinite().all(-1).all(-1) & (inverse_depth > 0)
    identity = torch.eye(4, dtype=truth.dtype, device=truth.device)
    truth = torch.where(known[..., None, None], truth, identity)
    left_over = se3.inverse(truth) @ T
    rotation = _norm(se3.axis_angle_from_rotation(left_over[..., :3, :3]))
    translation = _norm(T[..., :3, 3] - truth[..., :3, 3])
    return ((rotation + inverse_depth * translation) * known).mean(1)


def _mean_inverse_depth(depth: Tensor) -> Tensor:
    """``(B,)``, 0 where no depth is known."""
    valid = depth.isfinite() & (depth > 0)
    inverse = torch.where(valid, depth, torch.ones_like(depth)).reciprocal() * valid
    return inverse.sum((1, 2, 3)) / valid.sum((1, 2, 3)).clamp(min=1)


def _norm(vector: Tensor) -> Tensor:
    return (vector.square().sum(-1) + _ROUNDING**2).sqrt()
