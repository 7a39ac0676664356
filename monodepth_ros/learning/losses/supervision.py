"""The supervised objective: depth truth compared in log depth, its gradient and surface normals.

Scale-invariant log loss and gradient loss after Eigen et al., "Depth map prediction from a single
image", 2014, and "Predicting depth, surface normals and semantic labels", 2015;
normals compared by their angle, after Hu et al., "Revisiting single image depth estimation", 2019.
In their place absolute differences, after Ranftl et al., "Towards robust monocular depth
estimation", 2020, in log depth: squares would rather blur an edge than put it beside its place.
Every term is averaged over the valid pixels of an image, then over images and scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from monodepth_ros.geometry.projection import pixel_grid
from monodepth_ros.learning.losses.objective import Objective
from monodepth_ros.learning.losses.reprojected_views import image_size, upsample
from monodepth_ros.learning.losses.slicewise import batch_slices, slicewise_sum
from monodepth_ros.learning.losses.smoothness import edge_weights

TERMS = ("silog", "gradient", "normal")


class SupervisionSettings(BaseModel):
    """Weights of the terms; a weight of zero switches its term off."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    differences: Literal["squared", "absolute"] = "squared"  # of log depth and of its gradient
    silog_weight: float = Field(1.0, ge=0)
    silog_lambda: float = Field(0.5, ge=0, le=1, description="0: log-MSE, 1: blind to scale")
    gradient_weight: float = Field(1.0, ge=0)
    # Above 0, exp(-edge_decay |dI|) weighs the gradient: not where the image has edges.
    edge_decay: float = Field(0.0, ge=0)
    normal_weight: float = Field(0.05, ge=0)
    scales: tuple[int, ...] = Field((0, 1, 2, 3), min_length=1)
    min_depth: float = Field(0.1, gt=0, description="the networks' range; truth is clipped to it")
    max_depth: float = Field(100.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> SupervisionSettings:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be below max_depth")
        if min(self.scales) < 0 or len(set(self.scales)) != len(self.scales):
            raise ValueError("scales must be distinct and not negative")
        return self


def silog(difference: Tensor, valid: Tensor, scale_invariance: float = 0.5) -> Tensor:
    """``(B,)``: ``mean e^2 - lambda (mean e)^2`` of each image, 0 without valid pixels.

    ``difference`` ``e = log d - log d*`` ``(B, 1, H, W)`` is finite everywhere, ``valid`` bool.
    """
    count = _count(valid)
    e = difference * valid
    return (
        e.square().sum((1, 2, 3)) / count - scale_invariance * (e.sum((1, 2, 3)) / count).square()
    )


def absolute_log(difference: Tensor, valid: Tensor, scale_invariance: float = 0.5) -> Tensor:
    """``(B,)``: ``(1 - lambda) mean |e| + lambda mean |e - median e|``, 0 without valid pixels.

    Arguments as of `silog`.
    """
    count = _count(valid)
    by_image = torch.where(valid, difference, torch.nan).flatten(1)
    median = by_image.nanmedian(1).values.nan_to_num(0.0)[:, None, None, None]
    plain, aligned = (
        ((difference - shift) * valid).abs().sum((1, 2, 3)) / count for shift in (0.0, median)
    )
    return (1 - scale_invariance) * plain + scale_invariance * aligned


def gradient_difference(
    difference: Tensor,
    valid: Tensor,
    norm: Literal["squared", "absolute"] = "squared",
    weights: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """``(B,)``: ``1/n sum (dx e)^2 + (dy e)^2`` over differences of two valid pixels.

    With ``norm`` ``absolute``, of ``|dx e| + |dy e|``. ``weights`` multiply the differences, as
    those of `edge_weights`.
    """
    magnitude = torch.square if norm == "squared" else torch.abs
    along_x = difference[..., 1:] - difference[..., :-1]
    along_y = difference[..., 1:, :] - difference[..., :-1, :]
    if weights is not None:
        along_x, along_y = along_x * weights[0], along_y * weights[1]
    total = magnitude(along_x * (valid[..., 1:] & valid[..., :-1])).sum((1, 2, 3))
    total = total + magnitude(along_y * (valid[..., 1:, :] & valid[..., :-1, :])).sum((1, 2, 3))
    return total / _count(valid)


def surface_normals(inverse_depth: Tensor, K: Tensor) -> Tensor:
    """Unit normals ``(B, 3, H - 1, W - 1)`` of the surface through each pixel and its neighbours.

    They equal, up to sign, the normalised cross product of the differences from the back-projected
    pixel to those at its right and below. The inverse depth of a plane is linear in the pixel,
    ``l^T [x, y, 1]``, and ``K^T l`` is its normal; no points are needed, and no small numbers
    appear, as ``l`` is never zero.

    ``inverse_depth`` is ``(B, 1, H, W)``, positive; ``K`` ``(B, 3, 3)``.
    """
    center = inverse_depth[..., :-1, :-1]
    by_x = inverse_depth[..., :-1, 1:] - center
    by_y = inverse_depth[..., 1:, :-1] - center
    x, y = pixel_grid(center.shape[-2], center.shape[-1], K.device, inverse_depth.dtype)
    fx, skew, cx, fy, cy = (
        K[:, i, j, None, None, None] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2))
    )
    along_axis = center - (x - cx) * by_x - (y - cy) * by_y
    normal = torch.cat([fx * by_x, skew * by_x + fy * by_y, along_axis], 1)
    # Not Tensor.norm: over a short axis it takes as long as all the rest of the objective.
    return normal * normal.square().sum(1, keepdim=True).rsqrt()


def normal_difference(normals: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """``(B,)``: mean of ``1 - n . n*`` over valid normals, 0 without any."""
    distance = 1 - (normals * truth).sum(1, keepdim=True)
    return (distance * valid).sum((1, 2, 3)) / _count(valid)


@dataclass(frozen=True)
class _Truth:
    """Depth truth prepared for comparison; invalid pixels hold 1 m and are masked."""

    log_depth: Tensor
    valid: Tensor
    normals: Tensor
    normals_valid: Tensor
    edge_weights: tuple[Tensor, Tensor] | None

    @classmethod
    def of(
        cls, depth: Tensor, K: Tensor, settings: SupervisionSettings, images: Tensor | None
    ) -> _Truth:
        valid = torch.isfinite(depth) & (depth > 0)
        clipped = depth.clamp(settings.min_depth, settings.max_depth)
        depth = torch.where(valid, clipped, torch.ones_like(depth))
        weights = None
        if settings.edge_decay > 0:
            if images is None:
                raise ValueError("edge_decay needs the images")
            weights = edge_weights(images, settings.edge_decay)
        return cls(
            depth.log(),
            valid,
            surface_normals(1 / depth, K),
            valid[..., :-1, :-1] & valid[..., :-1, 1:] & valid[..., 1:, :-1],
            weights,
        )

    def edge_weights_of(self, s: slice) -> tuple[Tensor, Tensor] | None:
        """Those of a slice of the batch."""
        if self.edge_weights is None:
            return None
        along_x, along_y = self.edge_weights
        return along_x[s], along_y[s]


class SupervisedObjective:
    """Log-depth, gradient and normal losses over scales."""

    def __init__(self, settings: SupervisionSettings) -> None:
        self.settings = settings

    def __call__(
        self,
        disparities: Sequence[Tensor],
        truth: Tensor,
        K: Tensor,
        images: Tensor | None = None,
    ) -> Objective:
        """The objective of a batch.

        An image without a valid pixel adds zero, and zero gradient.

        Args:
            disparities: inverse depths ``(B, 1, h, w)`` of scales 0, 1, ..., finest first; each is
                upsampled to the size of the truth.
            truth: depth ``(B, 1, H, W)``, metres; what is not finite or not positive is invalid.
            K: intrinsics ``(B, 3, 3)`` at the size of the truth.
            images: for ``edge_decay``, ``(B, 3, H, W)`` in [0, 1] at the size of the truth.
        """
        settings = self.settings
        with torch.autocast(truth.device.type, enabled=False):
            chosen = [_full(disparities[s]) for s in settings.scales]
            K = _full(K)
            with torch.no_grad():
                prepared = _Truth.of(_full(truth), K, settings, images)
            slices = batch_slices(truth)
            results = [
                slicewise_sum(partial(self._summed, prepared, K), slices, [d]) for d in chosen
            ]
        share = 1 / (len(truth) * len(chosen))
        loss = share * torch.stack([value for value, _ in results]).sum()
        terms = share * torch.stack([parts for _, parts in results]).sum(0)
        return Objective(loss, dict(zip(TERMS, terms.unbind(), strict=True)))

    def _summed(
        self, truth: _Truth, K: Tensor, s: slice, disparity: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Over a slice of the batch: the weighted sum of all terms, and each weighted term."""
        settings = self.settings
        log_truth, valid = truth.log_depth[s], truth.valid[s]
        inverse_depth = upsample(disparity, image_size(log_truth))
        difference = -inverse_depth.log() - log_truth
        zero = inverse_depth.new_zeros(())
        terms = [zero, zero, zero]
        if settings.silog_weight:
            compare = silog if settings.differences == "squared" else absolute_log
            terms[0] = compare(difference, valid, settings.silog_lambda).sum()
        if settings.gradient_weight:
            edges = truth.edge_weights_of(s)
            terms[1] = gradient_difference(difference, valid, settings.differences, edges).sum()
        if settings.normal_weight:
            normals = surface_normals(inverse_depth, K[s])
            terms[2] = normal_difference(normals, truth.normals[s], truth.normals_valid[s]).sum()
        weights = (settings.silog_weight, settings.gradient_weight, settings.normal_weight)
        weighted = torch.stack([w * term for w, term in zip(weights, terms, strict=True)])
        # Ties the sum to the disparity even when every term is switched off.
        return weighted.sum() + 0 * inverse_depth.sum(), weighted.detach()


def _count(valid: Tensor) -> Tensor:
    return valid.sum((1, 2, 3)).clamp(min=1)


def _full(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
