"""The self-supervised objective of Monodepth2 with the switches of its paper.

Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.camera import resizing_matrix
from monodepth_ros.geometry.validity import shrunk
from monodepth_ros.learning.losses.masked_mean import masked_mean
from monodepth_ros.learning.losses.objective import Objective
from monodepth_ros.learning.losses.reprojected_views import ReprojectedViews, image_size, upsample
from monodepth_ros.learning.losses.slicewise import batch_slices, slicewise_sum
from monodepth_ros.learning.losses.smoothness import (
    Unit,
    edge_weights,
    planarity,
    resize_to_fit,
    smoothness,
)


class SelfSupervisionSettings(BaseModel):
    """Switches and weights; the defaults are those of the reference."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ssim: bool = Field(True, description="SSIM and L1; L1 alone when off")
    ssim_weight: float = Field(0.85, ge=0, le=1, description="share of SSIM in the error")
    smoothness_weight: float = Field(1e-3, ge=0)
    planarity_weight: float = Field(0.0, ge=0, description="of second-order smoothness")
    edge_decay: float = Field(1.0, ge=0, description="how fast both fall with image gradients")
    smoothness_unit: Unit = Field("mean", description="of disparity: what its steps count in")
    automask: bool = Field(True, description="let unwarped sources compete in the minimum")
    automask_noise: float = Field(1e-5, ge=0, description="standard deviation of the tie-break")
    average_reprojection: bool = Field(False, description="mean over sources, not the minimum")
    predictive_mask: bool = Field(False, description="weight errors by masks of a mask network")
    predictive_mask_weight: float = Field(0.2, ge=0, description="weight of the pull of masks to 1")
    v1_multiscale: bool = Field(False, description="each scale's loss at that scale's resolution")
    scales: tuple[int, ...] = Field((0, 1, 2, 3), min_length=1)
    min_depth: float = Field(0.1, gt=0)
    max_depth: float = Field(100.0, gt=0)
    padding: Literal["border", "zeros", "reflection"] = "border"

    @model_validator(mode="after")
    def _consistent(self) -> SelfSupervisionSettings:
        if self.min_depth >= self.max_depth:
            raise ValueError("min_depth must be below max_depth")
        if self.predictive_mask and self.automask:
            raise ValueError("predictive_mask replaces automask: switch automask off with it")
        if min(self.scales) < 0 or len(set(self.scales)) != len(self.scales):
            raise ValueError("scales must be distinct and not negative")
        return self


@dataclass(frozen=True)
class ErrorMaps:
    """Pictures of the finest scale.

    ``error`` ``(B, 1, H, W)`` is the minimum that the loss averages; ``automasked``, of that shape,
    is true where an unwarped source matched best, so that the pixel teaches nothing. ``counted``,
    of that shape, is true where the error is of valid pixels alone, None where it is everywhere.
    """

    error: Tensor
    automasked: Tensor
    counted: Tensor | None = None

    def means(self) -> Tensor:
        """Of each image, the mean of what counts: ``(B,)``."""
        return masked_mean(self.error, self.counted, (1, 2, 3))


class SelfSupervisedObjective:
    """Photometric loss of both neighbours warped into the target, and smoothness, over scales."""

    def __init__(self, settings: SelfSupervisionSettings, compiled: bool = False) -> None:
        """Take the switches, and whether torch.compile fuses the per-pixel arithmetic."""
        self.settings = settings
        self.compiled = compiled

    def __call__(
        self,
        disparities: Sequence[Tensor],
        T_previous_target: Tensor,
        T_next_target: Tensor,
        images: Tensor,
        K: Tensor,
        generator: torch.Generator | None = None,
        predictive_masks: Sequence[Tensor] | None = None,
        valid: Tensor | None = None,
    ) -> Objective:
        """The objective of a batch.

        Args:
            disparities: inverse depths ``(B, 1, h, w)`` of scales 0, 1, ..., finest first.
            T_previous_target: ``(B, 4, 4)``, maps points of the target camera to the previous one.
            T_next_target: the same to the next camera.
            images: not augmented, ``(B, 3, 3, H, W)`` in [0, 1]: target, previous, next.
            K: intrinsics ``(B, 3, 3)`` at the size of ``images``.
            generator: source of the tie-break noise, on the device of ``images``.
            predictive_masks: with that switch, ``(B, 2, h, w)`` in (0, 1) for each scale, for the
                previous and the next image.
            valid: which pixels of all three images show something, bool ``(B, 1, H, W)``; None for
                all. Nothing depends on what the others hold.
        """
        if self.settings.predictive_mask != (predictive_masks is not None):
            raise ValueError("predictive_masks must be given with the switch predictive_mask alone")
        with torch.autocast(images.device.type, enabled=False):
            return self._objective(
                [_full(disparities[s]) for s in self.settings.scales],
                torch.stack([_full(T_previous_target), _full(T_next_target)], 1),
                _full(images),
                _full(K),
                generator,
                predictive_masks and [_full(predictive_masks[s]) for s in self.settings.scales],
                valid,
            )

    @torch.no_grad()
    def error_maps(
        self,
        disparities: Sequence[Tensor],
        T_previous_target: Tensor,
        T_next_target: Tensor,
        images: Tensor,
        K: Tensor,
        valid: Tensor | None = None,
    ) -> ErrorMaps:
        """Error and auto-mask of scale 0, without noise and masks; arguments as in a call."""
        with torch.autocast(images.device.type, enabled=False):
            T = torch.stack([_full(T_previous_target), _full(T_next_target)], 1)
            views = self._views(_full(images), _full(K), T, valid)
            inverse_depth = _full(disparities[0])
            error, counted = self._over_sources(
                *views.errors(slice(None), inverse_depth, views.homography, views.epipole)
            )
            identity, _ = self._over_sources(views.identity_errors())
            minimum = torch.minimum(error, identity) if self.settings.automask else error
            return ErrorMaps(minimum, identity <= error, counted)

    def _objective(
        self,
        disparities: Sequence[Tensor],
        T: Tensor,
        images: Tensor,
        K: Tensor,
        generator: torch.Generator | None,
        masks: Sequence[Tensor] | None,
        valid: Tensor | None,
    ) -> Objective:
        settings = self.settings
        photometric, automasked = self._photometric(
            disparities, T, images, K, generator, masks, valid
        )
        terms = {"photometric": photometric, **self._regularity(disparities, images[:, 0], valid)}
        if masks is not None:
            pull = torch.stack([_cross_entropy_to_one(mask, valid) for mask in masks]).mean()
            terms["predictive_mask"] = settings.predictive_mask_weight * pull
        return Objective(
            torch.stack(list(terms.values())).sum(),
            {name: term.detach() for name, term in terms.items()},
            {"automasked": automasked} if settings.automask else {},
        )

    def _regularity(
        self, disparities: Sequence[Tensor], target: Tensor, valid: Tensor | None
    ) -> dict[str, Tensor]:
        """Weighted smoothness of both orders, those with a weight, averaged over scales."""
        settings, unit = self.settings, self.settings.smoothness_unit
        # Nearness beyond the farthest: proportional to the network's sigmoid, as is published.
        disparities = [d - 1 / settings.max_depth for d in disparities]
        sizes = [image_size(d) for d in disparities]
        targets = resize_to_fit(target, sizes)
        edges = [edge_weights(image, settings.edge_decay) for image in targets]
        masks: list[Tensor | None] = [None] * len(sizes)
        if valid is not None:
            masks = [part == 0 for part in resize_to_fit((~valid).to(target), sizes)]
        measures = {
            "smoothness": (partial(smoothness, unit=unit), settings.smoothness_weight),
            "planarity": (partial(planarity, unit=unit), settings.planarity_weight),
        }
        return {
            name: weight * _mean_over_scales(measure, settings.scales, disparities, edges, masks)
            for name, (measure, weight) in measures.items()
            if weight > 0
        }

    def _photometric(
        self,
        disparities: Sequence[Tensor],
        T: Tensor,
        images: Tensor,
        K: Tensor,
        generator: torch.Generator | None,
        masks: Sequence[Tensor] | None,
        valid: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """The error averaged over pixels and scales, and the auto-masked fraction of pixels."""
        views, identity = None, None
        means, fractions = [], []
        for index, disparity in enumerate(disparities):
            if views is None or self.settings.v1_multiscale:
                size = image_size(disparity if self.settings.v1_multiscale else images)
                at_size = None if valid is None else shrunk(valid, size)
                views = self._views(*_resized(images, K, size), T, at_size)
                identity = views.identity_errors() if self.settings.automask else None
            competitor = self._with_noise(identity, generator)
            inputs = [disparity, views.homography, views.epipole]
            if masks is not None:
                inputs.append(masks[index])
            summed = partial(self._summed_error, views, competitor)
            error, numbers = slicewise_sum(summed, batch_slices(views.sources), inputs)
            automasked, counted = numbers.unbind()
            pixels: int | Tensor = len(images) * views.size[0] * views.size[1]
            if valid is not None:
                pixels = counted.clamp(min=1.0)
            means.append(error / pixels)
            fractions.append(automasked / pixels)
        return torch.stack(means).mean(), torch.stack(fractions).mean()

    def _summed_error(
        self,
        views: ReprojectedViews,
        competitor: Tensor | None,
        s: slice,
        disparity: Tensor,
        homography: Tensor,
        epipole: Tensor,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Over a slice of the batch: the sum of the error; how many pixels are auto-masked, and
        how many count."""
        errors, seen = views.errors(s, disparity, homography, epipole)
        if mask is not None:
            errors = errors * upsample(mask, views.size)
        error, counted = self._over_sources(errors, seen)
        automasked = torch.zeros_like(error, dtype=torch.bool)
        if competitor is not None:
            automasked = competitor[s] <= error.detach()
            error = torch.minimum(error, competitor[s])
        if counted is not None:
            automasked, error = automasked & counted, torch.where(counted, error, 0.0)
        everywhere = torch.ones_like(automasked)
        numbers = [automasked.sum(), (everywhere if counted is None else counted).sum()]
        return error.sum(), torch.stack(numbers).to(error.dtype)

    def _views(
        self, images: Tensor, K: Tensor, T: Tensor, valid: Tensor | None
    ) -> ReprojectedViews:
        ssim_weight = self.settings.ssim_weight if self.settings.ssim else 0.0
        return ReprojectedViews(
            images, T, K, ssim_weight, self.settings.padding, self.compiled, valid
        )

    def _over_sources(
        self, errors: Tensor, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """One error ``(B, 1, H, W)`` of those of all sources ``(B, S, H, W)``, and where it counts.

        A source takes part where it is ``seen`` ``(B, S, H, W)``; an error without any is 0.
        """
        counted = None if seen is None else seen.any(1, keepdim=True)
        if self.settings.average_reprojection:
            return masked_mean(errors, seen, (1,), keepdim=True), counted
        if seen is None or counted is None:
            return reduce(torch.minimum, errors.split(1, dim=1)), None
        nearest = reduce(torch.minimum, torch.where(seen, errors, torch.inf).split(1, dim=1))
        return torch.where(counted, nearest, 0.0), counted

    def _with_noise(
        self, identity: Tensor | None, generator: torch.Generator | None
    ) -> Tensor | None:
        """Best error of the unwarped sources ``(B, 1, H, W)``, ties with warped ones broken."""
        if identity is None:
            return None
        if self.settings.average_reprojection:
            identity = identity.mean(1, keepdim=True)
        noise = torch.randn(
            identity.shape, generator=generator, dtype=identity.dtype, device=identity.device
        )
        return identity.add(noise, alpha=self.settings.automask_noise).amin(1, keepdim=True)


def _full(x: Tensor) -> Tensor:
    """At least single precision: variances and coordinates cancel in less (double is kept)."""
    return x if x.dtype == torch.float64 else x.float()


def _mean_over_scales(
    measure: Callable[..., Tensor],
    scales: Sequence[int],
    disparities: Sequence[Tensor],
    edges: Sequence[tuple[Tensor, Tensor]],
    masks: Sequence[Tensor | None],
) -> Tensor:
    """Of ``measure`` at each scale, halved from one to the next."""
    each = [
        measure(disparity, weights, valid=valid) / 2**scale
        for scale, disparity, weights, valid in zip(scales, disparities, edges, masks, strict=True)
    ]
    return torch.stack(each).mean()


def _cross_entropy_to_one(mask: Tensor, valid: Tensor | None) -> Tensor:
    counted = None if valid is None else shrunk(valid, image_size(mask)).expand_as(mask)
    return -masked_mean(mask.clamp(min=1e-7).log(), counted)


def _resized(images: Tensor, K: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Images ``(B, N, 3, H, W)`` averaged down to ``size``, and K scaled with them."""
    height, width = image_size(images)
    if (height, width) == size:
        return images, K
    smaller = F.adaptive_avg_pool2d(images.flatten(0, 1), size)
    A = K.new_tensor(resizing_matrix(size[0] / height, size[1] / width))
    return smaller.unflatten(0, images.shape[:2]), A @ K
