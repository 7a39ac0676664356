"""The network's poses refined during training, so that they agree with depth (SA4Depth).

A pose network learns from the photometric error slowly and, for a handheld camera, hardly at all.
Aligning the images by the depth of the moment finds the same pose within a few steps, at every
training step anew: depth then learns from poses that fit it, and the pose network learns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from monodepth_ros.geometry.patch_alignment import DAMPING, ITERATIONS, STRIDES, patch_level
from monodepth_ros.geometry.pose_refinement import AlignmentSettings, RefinedPose, refine_pose
from monodepth_ros.networks.disparity import scaled_disparity


class RefinementSettings(BaseModel):
    """Of the recipe's ``refinement``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(False, description="refine the poses of view synthesis")
    strides: tuple[int, ...] = Field(STRIDES, min_length=1, description="levels, coarse first")
    iterations: int = Field(ITERATIONS, ge=1, description="steps at each level")
    damping: float = Field(DAMPING, gt=0, description="of the diagonal, for all parameters")
    points: int | None = Field(2048, ge=10, description="random pixels a level; null for all")
    robust_scale: float = Field(0.1, ge=0, description="of the Cauchy weights; 0: least squares")
    border: float = Field(2.0, ge=0, description="pixels from the edge that are not matched")
    warmup_steps: int = Field(0, ge=0, description="steps before any refinement")
    consistency_weight: float = Field(
        1.0, ge=0, description="of the network's pose to the refined one, in units of parallax"
    )

    def alignment(self) -> AlignmentSettings:
        """What the solver takes of it."""
        return AlignmentSettings(
            iterations=self.iterations,
            robust_scale=self.robust_scale,
            points=self.points,
            border=self.border,
        )


class PoseRefiner:
    """Refines the poses of triplets by the target's depth and all three images."""

    def __init__(self, settings: RefinementSettings, min_depth: float, max_depth: float) -> None:
        self.settings = settings
        self.depth_range = min_depth, max_depth

    @torch.no_grad()
    def __call__(
        self,
        T_neighbour_target: Tensor,
        disparity: Tensor,
        images: Tensor,
        K: Tensor,
        generator: torch.Generator | None = None,
    ) -> RefinedPose:
        """Poses ``(B, N, 4, 4)`` refined, without a gradient.

        Args:
            T_neighbour_target: ``(B, N, 4, 4)``, maps points of the target to each neighbour.
            disparity: sigmoid of the target at full size, ``(B, 1, H, W)``.
            images: ``(B, 1 + N, 3, H, W)`` in [0, 1], target first, not augmented in colour.
            K: ``(B, 3, 3)`` at this size.
            generator: draws the points, on the device of ``images``.
        """
        neighbours = T_neighbour_target.shape[1]
        inverse_depth = scaled_disparity(disparity.float(), *self.depth_range)
        levels = [
            patch_level(stride, inverse_depth, images.float(), K.float(), self.settings.damping)
            for stride in self.settings.strides
        ]
        start = T_neighbour_target.flatten(0, 1)
        refined = refine_pose(start, levels, self.settings.alignment(), generator)
        return replace(refined, T=refined.T.unflatten(0, (-1, neighbours)))


def with_fixed_scale(
    disparities: Sequence[Tensor], min_depth: float, max_depth: float
) -> list[Tensor]:
    """Sigmoid disparities of the same values, whose scale has no gradient, image by image.

    Refined translations follow the scale of depth, so the photometric error cannot judge it; but by
    poses that count as constant it has a slope that never ends, along which each image's depth
    would run to an end of the range (measured: twelvefold within 600 steps). Divided by the mean
    of the image's finest inverse depth, all its scales lack that slope alone.
    """
    near, far = 1 / min_depth, 1 / max_depth
    inverse_depths = [scaled_disparity(d, min_depth, max_depth) for d in disparities]
    mean = inverse_depths[0].mean((1, 2, 3), keepdim=True)
    return [(r * (mean.detach() / mean) - far) / (near - far) for r in inverse_depths]
