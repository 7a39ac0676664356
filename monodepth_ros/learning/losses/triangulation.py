"""Depth of matched points by the rays of two views, as supervision that needs no pose network.

Zhao et al., "Towards better generalization: joint depth-pose learning without PoseNet", CVPR 2020:
matches give the relative pose by the essential matrix, pose and matches give depth but for a factor
of each pair. Here the matches are of corners that are followed, and the error is of log depth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from monodepth_ros.learning.losses.loss import MultiScaleLoss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class Triangulation(MultiScaleLoss):
    """``sum w |e - median e| / sum w`` over the matches of a pair, ``e = log d - log d_matches``.

    Averaged over pairs, then scales. The median, by weight, is the pair's own factor: the loss is
    blind to the scale of depth. Absolute, so that a mover among the matches pulls no more than
    others.
    """

    name = "triangulation"
    needs = frozenset({"matches"})
    teaches = frozenset({"depth"})

    def __call__(self, step: Step) -> Terms:
        """A pair without enough matches adds zero, and is counted in ``left_out``."""
        points = step.matched
        present = self.present(step.inverse_depths)
        losses = [self._of_pairs(step, scale).mean() for scale in present]
        known = points.known.float().sum().clamp(min=1)
        figures = {
            "left_out": (~points.known).float().mean(),  # share of the pairs
            "points": (points.weight > 0).sum() / known,  # of each other pair
        }
        return Terms(torch.stack(losses).mean(), figures)

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """Of the finest scale, over the pairs of each image that have matches."""
        known = step.matched.known
        mean = self._of_pairs(step, 0).sum(1) / known.sum(1)  # NaN without any
        return {"triangulation": mean}

    def _of_pairs(self, step: Step, scale: int) -> Tensor:
        """``(B, S)``, 0 where a pair is left out."""
        points = step.matched
        ratios = points.log_ratios(step.inverse_depths[scale])
        errors = (ratios - points.log_scales(ratios)[..., None]).abs()
        weight = points.weight
        return (weight * errors).sum(-1) / weight.sum(-1).clamp(min=1e-6)
