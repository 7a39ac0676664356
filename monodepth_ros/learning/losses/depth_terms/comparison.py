"""Losses that compare depth with one that counts as true: recorded, a teacher's, of known scenes.

A new term is a file beside this, a line in `TERMS`, and a key of the settings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.resizing import image_size, upsample
from monodepth_ros.learning.losses.arithmetic.slicewise import batch_slices, slicewise_sum
from monodepth_ros.learning.losses.depth_terms.absolute import Absolute
from monodepth_ros.learning.losses.depth_terms.compared import (
    Compared,
    DepthTerm,
    LogDepthSettings,
    Truth,
)
from monodepth_ros.learning.losses.depth_terms.gradient import Gradient, GradientSettings
from monodepth_ros.learning.losses.depth_terms.normal import Normal, NormalSettings
from monodepth_ros.learning.losses.depth_terms.silog import Silog
from monodepth_ros.learning.losses.loss import Loss, MultiScaleSettings, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

TERMS: dict[str, type[DepthTerm[Any]]] = {
    "silog": Silog,
    "absolute": Absolute,
    "gradient": Gradient,
    "normal": Normal,
}


class DepthComparisonSettings(MultiScaleSettings):
    """How depths are compared; null leaves a term out."""

    silog: LogDepthSettings | None = LogDepthSettings()
    absolute: LogDepthSettings | None = None
    gradient: GradientSettings | None = GradientSettings()
    normal: NormalSettings | None = NormalSettings()


class DepthComparison(Loss[DepthComparisonSettings]):
    """The weighted sum of terms, averaged over the pixels of an image, then images and scales."""

    Settings = DepthComparisonSettings

    def __init__(self, settings: DepthComparisonSettings) -> None:
        super().__init__(settings)
        chosen = {name: getattr(settings, name) for name in TERMS}
        self.terms = {name: TERMS[name](s) for name, s in chosen.items() if s and s.weight > 0}

    def compare(self, step: Step, true_depth: Tensor) -> Terms:
        """The depths of a step with ``true_depth`` ``(B, 1, H, W)``, unknown where not finite.

        Each scale is upsampled to the size of the truth. An image without a known pixel adds zero,
        and zero gradient.
        """
        truth = Truth(true_depth, step.K, step.target, (step.min_depth, step.max_depth))
        slices = batch_slices(true_depth)
        results = [
            slicewise_sum(partial(self._summed, truth), slices, [step.inverse_depths[scale]])
            for scale in self.settings.present(step.inverse_depths)
        ]
        share = 1 / (len(true_depth) * len(results))
        loss = share * torch.stack([value for value, _ in results]).sum()
        terms = share * torch.stack([parts for _, parts in results]).sum(0)
        return Terms(loss, dict(zip(self.terms, terms.unbind(), strict=True)))

    def _summed(self, truth: Truth, s: slice, inverse_depth: Tensor) -> tuple[Tensor, Tensor]:
        """Over a slice of the batch: the weighted sum of all terms, and each weighted term."""
        compared = Compared(upsample(inverse_depth, image_size(truth.depth)), truth, s)
        weighted = [term.settings.weight * term(compared).sum() for term in self.terms.values()]
        # Ties the sum to the depth even when every term is switched off.
        tied = 0 * compared.inverse_depth.sum()
        parts = torch.stack([tied, *weighted])
        return parts.sum(), parts[1:].detach()
