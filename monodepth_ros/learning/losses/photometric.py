"""View synthesis: the target must look as its neighbours say, warped by depth and motion.

Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019, with the
switches of its ablations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial, reduce
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from monodepth_ros.geometry.validity import shrunk
from monodepth_ros.learning.losses.arithmetic.maps import image_size, masked_mean, upsample
from monodepth_ros.learning.losses.arithmetic.slicewise import batch_slices, slicewise_sum
from monodepth_ros.learning.losses.arithmetic.views import Views, views_of_step
from monodepth_ros.learning.losses.loss import MultiScaleLoss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


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
        """Of each image, the mean of what counts: ``(B,)``, NaN where nothing does."""
        mean = masked_mean(self.error, self.counted, (1, 2, 3))
        if self.counted is None:
            return mean
        return torch.where(self.counted.flatten(1).any(1), mean, torch.nan)


class Photometric(MultiScaleLoss):
    """``min over sources of pe(target, warped source)``, averaged over pixels and scales.

    The defaults are those of the reference.
    """

    name = "photometric"
    needs = frozenset({"neighbours"})
    teaches = frozenset({"depth", "pose"})

    ssim: bool = Field(True, description="SSIM and L1; L1 alone when off")
    ssim_weight: float = Field(0.85, ge=0, le=1, description="share of SSIM in the error")
    automask: bool = Field(True, description="let unwarped sources compete in the minimum")
    automask_noise: float = Field(1e-5, ge=0, description="standard deviation of the tie-break")
    average_reprojection: bool = Field(False, description="mean over sources, not the minimum")
    predictive_mask: bool = Field(False, description="weight errors by masks of a mask network")
    predictive_mask_weight: float = Field(0.2, ge=0, description="weight of the pull of masks to 1")
    v1_multiscale: bool = Field(False, description="each scale's loss at that scale's resolution")
    padding: Literal["border", "zeros", "reflection"] = "border"

    @model_validator(mode="after")
    def _consistent(self) -> Photometric:
        if self.predictive_mask and self.automask:
            raise ValueError("predictive_mask replaces automask: switch automask off with it")
        return self

    def __call__(self, step: Step) -> Terms:
        """Summed over the motions that views are synthesised by, each with its share."""
        loss = step.target.new_zeros(())
        figures: dict[str, Tensor] = {}
        for synthesis in step.syntheses:
            motions = step.motions(synthesis.by)
            for T in motions:
                error, automasked = self.error(step, T, synthesis.inverse_depths)
                loss = loss + synthesis.share / len(motions) * error
                figures[synthesis.by] = error.detach()
                if self.automask:
                    figures["automasked"] = automasked
        if self.predictive_mask:
            pull = sum(synthesis.share for synthesis in step.syntheses) * self._pull(step)
            loss = loss + self.predictive_mask_weight * pull
            figures["predictive_mask"] = pull.detach()
        return Terms(loss, figures)

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """The error by unrefined motions, one for all images of the batch that have any."""
        T = step.unrefined
        error, _ = self.error(step, T, step.inverse_depths)
        errors, known = error.expand(len(step.target)), step.known(T)
        return {
            "photometric": errors if known is None else torch.where(known.any(1), errors, torch.nan)
        }

    def error(
        self, step: Step, T_source_target: Tensor, inverse_depths: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Of views by motions ``(B, S, 4, 4)`` and depths of all scales, finest first.

        The error averaged over pixels and scales, and the share of pixels that are auto-masked. A
        source whose motion is not known takes no part.
        """
        known = step.known(T_source_target)
        T_source_target = _without_unknown(T_source_target, known)

        @cache
        def views_at(size: tuple[int, int]) -> tuple[Views, tuple[Tensor, Tensor]]:
            views = self._views(step, size)
            return views, views.projection(T_source_target)

        means, fractions = [], []
        for scale in self.present(inverse_depths):
            inverse_depth = inverse_depths[scale]
            size = image_size(inverse_depth if self.v1_multiscale else step.target)
            views, projection = views_at(size)
            competitor = self._with_noise(views, step) if self.automask else None
            inputs = [inverse_depth, *projection]
            if self.predictive_mask:
                inputs.append(step.predicted_masks[scale])
            summed = partial(self._summed_error, views, competitor, known)
            error, numbers = slicewise_sum(summed, batch_slices(views.sources), inputs)
            automasked, counted = numbers.unbind()
            pixels: int | Tensor = len(step.target) * size[0] * size[1]
            if step.valid is not None or known is not None:
                pixels = counted.clamp(min=1.0)
            means.append(error / pixels)
            fractions.append(automasked / pixels)
        return torch.stack(means).mean(), torch.stack(fractions).mean()

    @torch.no_grad()
    def error_maps(self, step: Step, T_source_target: Tensor) -> ErrorMaps:
        """Error and auto-mask of scale 0 by motions ``(B, S, 4, 4)``, without noise and masks."""
        views, known = self._views(step, image_size(step.target)), step.known(T_source_target)
        projection = views.projection(_without_unknown(T_source_target, known))
        errors, seen = views.errors(slice(None), step.inverse_depths[0], *projection)
        error, counted = self._over_sources(errors, _of_known(errors, seen, known))
        identity, _ = self._over_sources(views.identity_errors)
        minimum = torch.minimum(error, identity) if self.automask else error
        return ErrorMaps(minimum, identity <= error, counted)

    def _views(self, step: Step, size: tuple[int, int]) -> Views:
        weight = self.ssim_weight if self.ssim else 0.0
        return step.once(views_of_step, size, weight, self.padding)

    def _summed_error(
        self,
        views: Views,
        competitor: Tensor | None,
        known: Tensor | None,
        s: slice,
        inverse_depth: Tensor,
        homography: Tensor,
        epipole: Tensor,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Over a slice of the batch: the sum of the error; how many pixels are auto-masked, and
        how many count."""
        errors, seen = views.errors(s, inverse_depth, homography, epipole)
        if mask is not None:
            errors = errors * upsample(mask, views.size)
        seen = _of_known(errors, seen, None if known is None else known[s])
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

    def _over_sources(
        self, errors: Tensor, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """One error ``(B, 1, H, W)`` of those of all sources ``(B, S, H, W)``, and where it counts.

        A source takes part where it is ``seen`` ``(B, S, H, W)``; an error without any is 0.
        """
        counted = None if seen is None else seen.any(1, keepdim=True)
        if self.average_reprojection:
            return masked_mean(errors, seen, (1,), keepdim=True), counted
        if seen is None or counted is None:
            return reduce(torch.minimum, errors.split(1, dim=1)), None
        nearest = reduce(torch.minimum, torch.where(seen, errors, torch.inf).split(1, dim=1))
        return torch.where(counted, nearest, 0.0), counted

    def _with_noise(self, views: Views, step: Step) -> Tensor:
        """Best error of the unwarped sources ``(B, 1, H, W)``, ties with warped ones broken."""
        identity = views.identity_errors
        if self.average_reprojection:
            identity = identity.mean(1, keepdim=True)
        noise = torch.randn(
            identity.shape, generator=step.generator, dtype=identity.dtype, device=identity.device
        )
        return identity.add(noise, alpha=self.automask_noise).amin(1, keepdim=True)

    def _pull(self, step: Step) -> Tensor:
        """Cross entropy of the predicted masks to 1: without it they would hide everything."""
        pulls = []
        masks, valid = step.predicted_masks, step.valid
        for mask in (masks[scale] for scale in self.present(masks)):
            counted = None if valid is None else shrunk(valid, image_size(mask)).expand_as(mask)
            pulls.append(-masked_mean(mask.clamp(min=1e-7).log(), counted))
        return torch.stack(pulls).mean()


def _without_unknown(T: Tensor, known: Tensor | None) -> Tensor:
    """Motions ``(B, S, 4, 4)``, those that are not ``known`` none at all: NaN would spread."""
    if known is None:
        return T
    return torch.where(known[..., None, None], T, torch.eye(4, dtype=T.dtype, device=T.device))


def _of_known(errors: Tensor, seen: Tensor | None, known: Tensor | None) -> Tensor | None:
    """Where ``errors`` ``(B, S, H, W)`` count: where ``seen``, of sources ``known`` ``(B, S)``."""
    if known is None:
        return seen
    of_known = known[..., None, None].expand_as(errors)
    return of_known if seen is None else seen & of_known
