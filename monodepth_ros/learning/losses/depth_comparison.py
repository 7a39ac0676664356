"""Losses that compare depth with one that counts as true: recorded, a teacher's, of known scenes.

A new term is a class of `depth_terms` and a field of `DepthComparison`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from pydantic import PositiveInt
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.maps import image_size, upsample
from monodepth_ros.learning.losses.arithmetic.slicewise import batch_slices, slicewise_sum
from monodepth_ros.learning.losses.depth_terms import (
    Absolute,
    Compared,
    DepthTerm,
    Gradient,
    Normal,
    Silog,
    Truth,
)
from monodepth_ros.learning.losses.loss import MultiScaleLoss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class DepthComparison(MultiScaleLoss):
    """The weighted sum of terms, averaged over the pixels of an image, then images and scales.

    Null leaves a term out.
    """

    silog: Silog | None = Silog()
    absolute: Absolute | None = None
    gradient: Gradient | None = Gradient()
    normal: Normal | None = Normal()

    @property
    def terms(self) -> dict[str, DepthTerm]:
        """Those with a weight, by name."""
        terms = {name: value for name, value in self if isinstance(value, DepthTerm)}
        return {name: term for name, term in terms.items() if term.weight > 0}

    def compare(self, step: Step, true_depth: Tensor) -> Terms:
        """The depths of a step with ``true_depth`` ``(B, 1, H, W)``, unknown where not finite.

        Each scale is upsampled to the size of the truth. An image without a known pixel adds zero,
        and zero gradient.
        """
        truth = Truth(true_depth, step.K, step.target, (step.min_depth, step.max_depth))
        slices = batch_slices(true_depth)
        results = [
            slicewise_sum(partial(self._summed, truth), slices, [step.inverse_depths[scale]])
            for scale in self.present(step.inverse_depths)
        ]
        share = 1 / (len(true_depth) * len(results))
        loss = share * torch.stack([value for value, _ in results]).sum()
        terms = share * torch.stack([parts for _, parts in results]).sum(0)
        return Terms(loss, dict(zip(self.terms, terms.unbind(), strict=True)))

    def _summed(self, truth: Truth, s: slice, inverse_depth: Tensor) -> tuple[Tensor, Tensor]:
        """Over a slice of the batch: the weighted sum of all terms, and each weighted term."""
        compared = Compared(upsample(inverse_depth, image_size(truth.depth)), truth, s)
        weighted = [term.weight * term(compared).sum() for term in self.terms.values()]
        # Ties the sum to the depth even when every term is switched off.
        tied = 0 * compared.inverse_depth.sum()
        parts = torch.stack([tied, *weighted])
        return parts.sum(), parts[1:].detach()


class Supervised(DepthComparison):
    """With the true depth that recordings hold."""

    name = "supervised"
    needs = frozenset({"depth"})
    teaches = frozenset({"depth"})

    def __call__(self, step: Step) -> Terms:
        """As `compare`."""
        return self.compare(step, step.true_depth)


class TeacherDepth(DepthComparison):
    """With what ``networks.teacher`` says of the same images, to learn from it or stay near it."""

    name = "teacher"
    needs = frozenset({"teacher"})
    teaches = frozenset({"depth"})

    def __call__(self, step: Step) -> Terms:
        """As `compare`."""
        return self.compare(step, step.teacher_depth)


class Rehearsal(DepthComparison):
    """With the true depth of known scenes, so that a model does not forget them.

    Their single frames go beside each batch. Their folders are given with the data (``--replay``);
    without there are none, and no loss.
    """

    name = "rehearsal"
    needs = frozenset({"rehearsal"})

    batch_size: PositiveInt = 2  # frames beside each batch, on each device

    def __call__(self, step: Step) -> Terms:
        """As `compare`, of the known frames."""
        known = step.rehearsal
        if known is None:
            return Terms(step.target.new_zeros(()))
        return self.compare(known, known.true_depth)
