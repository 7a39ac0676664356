"""The network's motions drawn to those refined by depth (SA4Depth, methods of its kind)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monodepth_ros.learning.losses.arithmetic.masked_mean import known_depth
from monodepth_ros.learning.losses.loss import Loss, LossSettings, Terms
from monodepth_ros.learning.losses.pose import motion_difference

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class Consistency(Loss[LossSettings]):
    """``motion_difference(T, refined T)``, which counts as true here; by ``refinement``'s share."""

    name = "consistency"
    needs = frozenset({"neighbours"})

    def __call__(self, step: Step) -> Terms:
        """Averaged over images and neighbours; 0 until refined motions take over."""
        if step.refined_share == 0:
            return Terms(step.target.new_zeros(()))
        depth = known_depth(1 / step.inverse_depths[0].detach(), step.valid)
        difference = motion_difference(step.T, step.refined.T.detach(), depth).mean()
        return Terms(step.refined_share * difference)
