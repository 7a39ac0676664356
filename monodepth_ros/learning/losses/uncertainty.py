"""Losses that teach the head of a depth network how wrong its depth may be; depth stays as it is.

Each is the negative log likelihood of an error under what every member of the head says:
A. Kendall and Y. Gal, "What uncertainties do we need in Bayesian deep learning for computer
vision?", NeurIPS 2017. The photometric and the self-taught kind: M. Poggi et al., "On the
uncertainty of self-supervised monocular depth estimation", CVPR 2020.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.maps import image_size, upsample
from monodepth_ros.learning.losses.loss import Loss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

Distribution = Literal["laplace", "gaussian"]


class UncertaintyLoss(Loss):
    """What they share: the distribution of errors, and how errors are counted."""

    distribution: Distribution = "laplace"  # large errors are more frequent than a Gaussian's

    def of_errors(self, step: Step, errors: Tensor) -> Terms:
        """Of errors of the finest depth ``(B, 1, H, W)``, NaN where they are unknown.

        Over the known pixels of an image, then over the images that have any.
        """
        means, known = self._means(step, errors)
        loss = (means * known).sum() / known.sum().clamp(min=1)
        return Terms(loss, {"error": errors.detach().abs().nanmean().nan_to_num()})

    def _means(self, step: Step, errors: Tensor) -> tuple[Tensor, Tensor]:
        """Of each image ``(B,)``: the mean over its known pixels and all members; has it any?"""
        known = ~errors.isnan()
        log_variances = upsample(step.log_variances, image_size(errors))
        values = negative_log_likelihood(errors.nan_to_num(), log_variances, self.distribution)
        values = values.mean(1, keepdim=True) * known
        count = known.sum((1, 2, 3))
        return values.sum((1, 2, 3)) / count.clamp(min=1), count > 0


class DepthUncertainty(UncertaintyLoss):
    """By the errors against the true depth that recordings hold."""

    name = "uncertainty"
    needs = frozenset({"depth"})
    teaches = frozenset({"uncertainty"})

    # Errors are counted after the image's median ratio is taken out: all that depth of one image
    # can be held to where its scale is open.
    align: Literal["median", "none"] = "median"

    def __call__(self, step: Step) -> Terms:
        """In log depth."""
        return self.of_errors(step, log_errors(step, step.true_depth, self.align == "median"))

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """The loss, and the factor on standard deviations that 68 % of the errors ask for."""
        errors = log_errors(step, step.true_depth, self.align == "median")
        means, known = self._means(step, errors)
        return {
            self.name: means.where(known, torch.nan),
            "temperature": _temperatures(errors, step.log_variance),
        }


class SelfTaught(UncertaintyLoss):
    """By what the head's own network says otherwise than ``networks.teacher``, without any truth.

    The teacher sees clean images, and may be an earlier, a larger or the same network.
    """

    name = "self_teaching"
    needs = frozenset({"teacher"})
    teaches = frozenset({"uncertainty"})

    align: Literal["median", "none"] = "none"

    def __call__(self, step: Step) -> Terms:
        """In log depth."""
        return self.of_errors(step, log_errors(step, step.teacher_depth, self.align == "median"))


class PhotometricUncertainty(UncertaintyLoss):
    """By the error of view synthesis, where pixels are not auto-masked.

    That has another unit than log depth, so what it teaches ranks pixels and needs a temperature.
    It is known to learn texture rather than error: where images have none, views fit any depth.
    """

    name = "photometric_uncertainty"
    needs = frozenset({"neighbours"})
    teaches = frozenset({"uncertainty"})

    def __call__(self, step: Step) -> Terms:
        """Of views by the network's motions."""
        _ = step.log_variances  # with a graph, which the maps are made without
        maps = step.learner.photometric.error_maps(step, step.T)
        left_out = maps.automasked if maps.counted is None else maps.automasked | ~maps.counted
        return self.of_errors(step, maps.error.masked_fill(left_out, torch.nan))


def negative_log_likelihood(
    errors: Tensor, log_variances: Tensor, distribution: Distribution
) -> Tensor:
    """Without the constant: of a Gaussian ``(e^2 / v + log v) / 2``, of a Laplace distribution of
    the same variance ``sqrt(2 / v) |e| + log(v) / 2``."""
    if distribution == "gaussian":
        return 0.5 * (errors.square() * (-log_variances).exp() + log_variances)
    return math.sqrt(2.0) * errors.abs() * (-0.5 * log_variances).exp() + 0.5 * log_variances


def log_errors(step: Step, depth: Tensor, aligned: bool) -> Tensor:
    """Log of ``depth`` ``(B, 1, H, W)`` over the network's, NaN where it is unknown.

    ``aligned``: less its median over each image. Nothing learns from them.
    """
    inverse_depth = upsample(step.inverse_depths[0].detach(), image_size(depth))
    known = torch.isfinite(depth) & (depth > 0)
    depth = depth.clamp(step.min_depth, step.max_depth)
    errors = torch.where(known, depth.log() + inverse_depth.log(), torch.nan)
    if aligned:
        errors = errors - errors.flatten(1).nanmedian(1).values[:, None, None, None]
    return errors


def _temperatures(errors: Tensor, log_variance: Tensor) -> Tensor:
    """``(B,)``: the 68 % quantile of errors over standard deviations, NaN without errors."""
    ratios = errors.abs() * (-0.5 * upsample(log_variance, image_size(errors))).exp()
    return ratios.flatten(1).nanquantile(0.6827, 1)
