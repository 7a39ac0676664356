"""What the matches of a batch tell: depth of points, each pair in a unit of its own, and motions.

Two views tell rotation and direction, and depth in lengths of the motion between them. Nobody needs
to know that length: one factor for each pair compares it with a network's depth (Zhao et al.,
"Towards better generalization: joint depth-pose learning without PoseNet", CVPR 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from monodepth_ros.geometry.se3 import from_rotation_translation
from monodepth_ros.geometry.triangulation import rays_of_pixels, triangulate
from monodepth_ros.geometry.warp import sample
from monodepth_ros.learning.losses.arithmetic.maps import image_size, upsample
from monodepth_ros.learning.losses.arithmetic.median import weighted_median
from monodepth_ros.learning.losses.loss import Section


class MatchesSettings(Section):
    """Of the recipe's ``matches``: points followed from each target into its neighbours."""

    points: int = Field(300, ge=20, description="corners of a target that are followed")
    half_weight: float = Field(
        0.1, gt=0, description="expected error of log depth at which a point counts half"
    )
    max_error: float = Field(0.5, gt=0, description="expected error that leaves a point out")
    min_points: float = Field(
        16, ge=2, description="fewer, each counted by its weight, leave the pair out"
    )


@dataclass(frozen=True)
class MatchedPoints:
    """Of a batch of B with S neighbours, places for N matches of each pair.

    ``pixels`` ``(B, S, N, 2)`` of the target, ``neighbour_pixels`` of that size. ``depth``
    ``(B, S, N)`` by the rays of both views, in lengths of the pair's motion, positive; 1 where
    ``weight``, of that size, in [0, 1], is 0. ``T`` ``(B, S, 4, 4)`` is T_neighbour_target with a
    translation of length 1. ``known``, bool ``(B, S)``: pairs with enough matches; of others all
    weights are 0. ``size`` is of the image, height and width.
    """

    pixels: Tensor
    neighbour_pixels: Tensor
    depth: Tensor
    weight: Tensor
    T: Tensor
    known: Tensor
    size: tuple[int, int]

    def log_ratios(self, inverse_depth: Tensor) -> Tensor:
        """``(B, S, N)``: log of a network's depth over that of the matches, at the points.

        ``inverse_depth`` is ``(B, 1, h, w)`` of any scale; differentiable.
        """
        shape = self.depth.shape
        places = self.pixels.flatten(1, 2).mT[..., None]  # (B, 2, S N, 1)
        found = sample(upsample(inverse_depth, self.size), places)
        return -found.view(shape).log() - self.depth.log()

    def log_scales(self, log_ratios: Tensor) -> Tensor:
        """``(B, S)``: the median of `log_ratios`, by weight: of the pair's motion, log length."""
        return weighted_median(log_ratios, self.weight)

    def motions(self, inverse_depth: Tensor) -> Tensor:
        """T_neighbour_target ``(B, S, 4, 4)`` as long as a network's depth says, NaN if unknown."""
        length = self.log_scales(self.log_ratios(inverse_depth)).exp()
        T = from_rotation_translation(self.T[..., :3, :3], length[..., None] * self.T[..., :3, 3])
        return torch.where(self.known[..., None, None], T, torch.nan)


@torch.no_grad()
def matched_points(
    batch: dict[str, Tensor], K: Tensor, valid: Tensor | None, settings: MatchesSettings
) -> MatchedPoints:
    """The matches of a prepared batch, as of `MatchedTriplets`, triangulated and weighted.

    Those count that lie inside the target's image, on ``valid`` pixels, in front of both cameras,
    and whose parallax exceeds their noise. Nothing here is learnt, so nothing has a gradient.
    """
    size = image_size(batch["images"])
    pixels, neighbours = batch["matches"].unbind(2)
    noise, T = batch["match_noise"], batch["T_matches"]
    rays = rays_of_pixels(pixels, K[:, None])
    found = triangulate(rays, rays_of_pixels(neighbours, K[:, None]), T)
    error = noise / found.parallax  # of log depth: the angle between the rays is what is measured
    counts = (found.first > 0) & (found.second > 0) & (error < settings.max_error)
    counts = counts & _inside(pixels, size, valid)
    weight = torch.where(counts, 1 / (1 + (error / settings.half_weight).square()), 0.0)
    known = weight.sum(-1) >= settings.min_points
    counts = counts & known[..., None]
    weight = torch.where(counts, weight, 0.0)
    depth = torch.where(counts, found.first, 1.0)
    return MatchedPoints(
        torch.where(counts[..., None], pixels, 0.0),
        torch.where(counts[..., None], neighbours, 0.0),
        depth,
        weight,
        T,
        known,
        size,
    )


def _inside(pixels: Tensor, size: tuple[int, int], valid: Tensor | None) -> Tensor:
    """Bool ``(B, S, N)``: which pixels lie inside the image, between valid ones alone."""
    height, width = size
    most = pixels.new_tensor([width - 1, height - 1])
    inside = ((pixels >= 0) & (pixels <= most)).all(-1)  # a place without a match is NaN
    if valid is None:
        return inside
    places = torch.where(inside[..., None], pixels, 0.0).flatten(1, 2).mT[..., None]
    return inside & (sample((~valid).to(pixels), places).view(inside.shape) == 0)
