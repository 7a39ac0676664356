"""Poses refined during training, so that they agree with depth (SA4Depth, methods of its kind).

A pose network learns from the photometric error slowly and, for a handheld camera, hardly at all.
Aligning features of the images by the depth of the moment finds the pose that this depth implies,
the length of its translation included: depth learns from poses that fit it, and the pose network
learns them. The features are learnt with it, or are patches of the images.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from monodepth_ros.geometry.feature_alignment import (
    MODERATE_DAMPING,
    AlignmentLevel,
    AlignmentSettings,
    RefinedPose,
    alignment_level,
    refine_pose,
)
from monodepth_ros.geometry.patch_alignment import patch_features, valid_patches
from monodepth_ros.geometry.validity import eroded, shrunk
from monodepth_ros.learning.losses.arithmetic.maps import masked_mean
from monodepth_ros.learning.losses.loss import Section
from monodepth_ros.networks.depth_network import FeatureEncoder
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.feature_net import (
    PYRAMID_STRIDES,
    FeatureHeads,
    FeatureMap,
    FeatureNet,
)
from monodepth_ros.networks.resnet import ResNetEncoder

# PixLoc's range of dampings: 10^-6 to 10^5, by a sigmoid.
_LEAST, _SPAN = -6.0, 11.0


class RefinementSettings(Section):
    """Of the recipe's ``refinement``; docs/refinement.md says what is known of each."""

    enabled: bool = Field(False, description="refine the poses of view synthesis")
    feat_source: Literal["own", "depth_encoder", "patches"] = Field(
        "own", description="a network of its own, heads on the depth encoder, or nothing learnt"
    )
    feat_encoder: Literal["resnet18", "efficientnet-lite0"] = Field(
        "resnet18", description="of feat_source own"
    )
    strides: tuple[int, ...] = Field((8, 4, 2), min_length=1, description="levels, coarse first")
    dimensions: tuple[int, ...] = Field(
        (128, 64, 32), min_length=1, description="channels of learnt features, for each level"
    )
    confidence: bool = Field(True, description="learnt confidences weigh the pixels")
    jittered: bool = Field(False, description="features see the jittered images, not the clean")
    automask: bool = Field(True, description="leave out what the auto-mask leaves out")
    iterations: int = Field(4, ge=1, description="steps at each level")
    damping: float = Field(
        MODERATE_DAMPING, ge=1e-5, le=1e4, description="of the diagonal; where learnt ones start"
    )
    learn_damping: bool = Field(True, description="one for each level and pose parameter")
    damping_lr: float = Field(100.0, gt=0, description="of learnt damping: times optimizer.lr")
    points: int | None = Field(2048, ge=10, description="random pixels a level; null for all")
    robust_scale: float = Field(0.1, ge=0, description="of the Cauchy weights; 0: least squares")
    border: float = Field(2.0, ge=0, description="pixels from the edge that are not matched")
    gradient_steps: int | None = Field(
        None,
        ge=0,
        description="last steps of each level with a gradient; null: all, 0: none at all",
    )
    detach_depth: bool = Field(True, description="but none to the depth of the matched points")
    detach_levels: bool = Field(
        False, description="nor from level to level; each level's poses then have a loss"
    )
    hold_scale: bool = Field(
        True, description="with detach_depth: refined poses do not teach each image's scale"
    )
    warmup_steps: int = Field(2000, ge=0, description="steps before any refinement")
    ramp_steps: int = Field(2000, ge=0, description="steps in which refined poses take over")
    network_pose_weight: float = Field(
        0.5, ge=0, description="of view synthesis by the network's own poses, after that"
    )

    @model_validator(mode="after")
    def _consistent(self) -> RefinementSettings:
        if any(stride < 1 for stride in self.strides):
            raise ValueError("strides must be at least 1")
        if self.feat_source != "patches":
            if len(self.dimensions) != len(self.strides):
                raise ValueError("dimensions must be as many as strides")
            known = PYRAMID_STRIDES[:4] if self.feat_source == "own" else PYRAMID_STRIDES
            if not set(self.strides) <= set(known):
                raise ValueError(f"strides of feat_source {self.feat_source} are some of {known}")
        return self

    def share(self, step: int) -> float:
        """How far refined poses have taken over at a step: 0 until the warm-up's end, then to 1."""
        if step < self.warmup_steps:
            return 0.0
        return min(1.0, (step - self.warmup_steps + 1) / (self.ramp_steps + 1))

    def alignment(self) -> AlignmentSettings:
        """What the solver takes of it."""
        return AlignmentSettings(
            iterations=self.iterations,
            robust_scale=self.robust_scale,
            points=self.points,
            border=self.border,
            detach_between_levels=self.detach_levels,
            gradient_steps=self.gradient_steps,
        )


class PoseRefiner(nn.Module):
    """Refines the poses of triplets by the target's depth and all three images."""

    def __init__(
        self, settings: RefinementSettings, depth_encoder: FeatureEncoder | None = None
    ) -> None:
        """Take the settings, and for feat_source depth_encoder that."""
        super().__init__()
        self.settings = settings
        self._depth_encoder: list[FeatureEncoder] = []  # not registered here a second time
        self.feature_net: FeatureNet | FeatureHeads | None = None
        levels = settings.strides, settings.dimensions
        if settings.enabled and settings.feat_source == "depth_encoder":
            assert depth_encoder is not None
            self._depth_encoder.append(depth_encoder)
            self.feature_net = FeatureHeads(depth_encoder.channels, *levels)
        elif settings.enabled and settings.feat_source == "own":
            lite = settings.feat_encoder == "efficientnet-lite0"
            encoder: FeatureEncoder = EfficientNetLiteEncoder() if lite else ResNetEncoder(18)
            self.feature_net = FeatureNet(encoder, *levels)
        self.damping: nn.Parameter | None = None
        if settings.enabled and settings.learn_damping:
            share = (math.log10(settings.damping) - _LEAST) / _SPAN
            start = math.log(share / (1 - share))
            self.damping = nn.Parameter(torch.full((len(settings.strides), 6), start))

    def forward(
        self,
        T_neighbour_target: Tensor,
        inverse_depth: Tensor,
        images: Tensor,
        K: Tensor,
        generator: torch.Generator | None = None,
        weight: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> RefinedPose:
        """Poses ``(B, N, 4, 4)`` refined, also those after each level.

        Args:
            T_neighbour_target: ``(B, N, 4, 4)``, maps points of the target to each neighbour.
            inverse_depth: of the target at full size, ``(B, 1, H, W)``.
            images: ``(B, 1 + N, 3, H, W)`` in [0, 1], target first.
            K: ``(B, 3, 3)`` at this size.
            generator: draws the points, on the device of ``images``.
            weight: of the target's pixels, ``(B, 1, H, W)``; alike where None.
            valid: which pixels of all images show something, bool ``(B, 1, H, W)``; None for all.
        """
        settings = self.settings
        with torch.set_grad_enabled(settings.gradient_steps != 0 and torch.is_grad_enabled()):
            levels = self.levels(inverse_depth, images, K, weight, valid)
            start = T_neighbour_target.flatten(0, 1)
            refined = refine_pose(start, levels, settings.alignment(), generator)
        neighbours = T_neighbour_target.shape[1]
        after_levels = tuple(T.unflatten(0, (-1, neighbours)) for T in refined.after_levels)
        return replace(refined, T=after_levels[-1], after_levels=after_levels)

    def levels(
        self,
        inverse_depth: Tensor,
        images: Tensor,
        K: Tensor,
        weight: Tensor | None = None,
        valid: Tensor | None = None,
    ) -> list[AlignmentLevel]:
        """What is aligned, coarse first; arguments as of a call."""
        if self.settings.detach_depth:
            inverse_depth = inverse_depth.detach()
        maps, shape = self._maps(images), images.shape[:2]
        with torch.autocast(images.device.type, enabled=False):
            return [
                alignment_level(
                    features.unflatten(0, shape),
                    inverse_depth.float(),
                    K.float(),
                    confidence=None if confidence is None else confidence.unflatten(0, shape),
                    weight=weight,
                    damping=damping,
                    valid=None if valid is None else self._comparable(valid, stride, features),
                )
                for (features, confidence), damping, stride in zip(
                    maps, self.dampings(), self.settings.strides, strict=True
                )
            ]

    def _comparable(self, valid: Tensor, stride: int, features: Tensor) -> Tensor:
        """At the size of ``features``: whose features are of valid pixels.

        Learnt ones see further than the pixels beside theirs; what they make of the border is left
        to the network.
        """
        if self.feature_net is None:
            return valid_patches(valid, stride)
        return eroded(shrunk(valid, (features.shape[-2], features.shape[-1])), 1)

    def dampings(self) -> Sequence[Tensor | float]:
        """Of each level, ``(6,)`` where learnt, translation first."""
        if self.damping is None:
            return [self.settings.damping] * len(self.settings.strides)
        exponent = _LEAST + _SPAN * torch.sigmoid(self.damping.float())
        return (10.0**exponent).unbind(0)

    def _maps(self, images: Tensor) -> Sequence[tuple[Tensor, Tensor | None]]:
        """Features and confidences of all images, ``(B (1 + N), ., h, w)`` for each level."""
        flat = images.flatten(0, 1)
        if self.feature_net is None:
            return [
                (patch_features(flat.float(), stride), None) for stride in self.settings.strides
            ]
        seen = self._depth_encoder[0](flat) if self._depth_encoder else flat
        maps: list[FeatureMap] = self.feature_net(seen)
        return [(m.features, m.confidence if self.settings.confidence else None) for m in maps]


def with_fixed_scale(inverse_depths: Sequence[Tensor], valid: Tensor | None = None) -> list[Tensor]:
    """Inverse depths of the same values, whose scale has no gradient, image by image.

    Refined translations follow the scale of depth, so the photometric error cannot judge it; but by
    poses that count as constant it has a slope that never ends, along which each image's depth
    would run to an end of the range (measured: twelvefold within 600 steps). Divided by the mean
    of the image's finest inverse depth, over its ``valid`` pixels, all its scales lack that slope
    alone.
    """
    mean = masked_mean(inverse_depths[0], valid, (1, 2, 3), keepdim=True)
    return [r * (mean.detach() / mean) for r in inverse_depths]
