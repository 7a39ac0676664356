"""Photometric error between images: SSIM dissimilarity and absolute difference.

SSIM after Wang et al., "Image quality assessment: from error visibility to structural similarity",
2004, with a uniform 3x3 window; the mixture after Godard et al., "Unsupervised monocular depth
estimation with left-right consistency", 2017. Images are ``(..., H, W)`` with values in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

C1 = 0.01**2
C2 = 0.03**2


def box_mean(x: Tensor) -> Tensor:
    """Mean over 3x3 windows of ``(..., H, W)``, borders reflected; the same shape."""
    return _BoxMean.apply(x)


def ssim_dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """``(1 - SSIM) / 2`` per pixel and channel, in [0, 1]; differentiable in both images."""
    first_mean, second_mean = box_mean(first), box_mean(second)
    first_variance = box_mean(first * first) - first_mean * first_mean
    second_variance = box_mean(second * second) - second_mean * second_mean
    covariance = box_mean(first * second) - first_mean * second_mean
    luminance = (2 * first_mean * second_mean + C1) / (first_mean**2 + second_mean**2 + C1)
    structure = (2 * covariance + C2) / (first_variance + second_variance + C2)
    return ((1 - luminance * structure) / 2).clamp(0, 1)


def photometric_error(first: Tensor, second: Tensor, ssim_weight: float = 0.85) -> Tensor:
    """Error of ``(..., C, H, W)`` images per pixel, ``(..., 1, H, W)``; differentiable in both.

    ``ssim_weight * mean_c dissimilarity + (1 - ssim_weight) * mean_c |first - second|``.
    """
    absolute = (first - second).abs().mean(-3, keepdim=True)
    if ssim_weight == 0:
        return absolute
    dissimilarity = ssim_dissimilarity(first, second).mean(-3, keepdim=True)
    return ssim_weight * dissimilarity + (1 - ssim_weight) * absolute


@dataclass(frozen=True)
class FixedTarget:
    """A target that many images are compared with, its window statistics computed once.

    ``image``, ``mean`` and ``variance`` are ``(..., C, H, W)`` and carry no gradient.
    """

    image: Tensor
    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, image: Tensor) -> FixedTarget:
        """The statistics of ``image``."""
        mean = box_mean(image)
        return cls(image, mean, box_mean(image * image) - mean * mean)

    def __getitem__(self, index: Any) -> FixedTarget:
        return FixedTarget(self.image[index], self.mean[index], self.variance[index])

    def photometric_error(self, image: Tensor, ssim_weight: float = 0.85) -> Tensor:
        """As the function :func:`photometric_error`, several times faster.

        ``image`` broadcasts against the target; it alone gets a gradient, in closed form.
        """
        if ssim_weight == 0:
            return photometric_error(image, self.image, 0.0)
        return _FixedTargetError.apply(image, self.image, self.mean, self.variance, ssim_weight)


def _box_mean(x: Tensor) -> Tensor:
    # Separable sums of shifted views: an order of magnitude faster on a CPU than avg_pool2d.
    rows = x * (1 / 9)
    rows[..., 1:, :].add_(x[..., :-1, :], alpha=1 / 9)
    rows[..., :-1, :].add_(x[..., 1:, :], alpha=1 / 9)
    rows[..., 0, :].add_(x[..., 1, :], alpha=1 / 9)
    rows[..., -1, :].add_(x[..., -2, :], alpha=1 / 9)
    mean = rows.clone()
    mean[..., 1:] += rows[..., :-1]
    mean[..., :-1] += rows[..., 1:]
    mean[..., 0] += rows[..., 1]
    mean[..., -1] += rows[..., -2]
    return mean


def _box_mean_adjoint(x: Tensor) -> Tensor:
    rows = x * (1 / 9)
    rows[..., 1:, :].add_(x[..., :-1, :], alpha=1 / 9)
    rows[..., :-1, :].add_(x[..., 1:, :], alpha=1 / 9)
    rows[..., 1, :].add_(x[..., 0, :], alpha=1 / 9)
    rows[..., -2, :].add_(x[..., -1, :], alpha=1 / 9)
    result = rows.clone()
    result[..., 1:] += rows[..., :-1]
    result[..., :-1] += rows[..., 1:]
    result[..., 1] += rows[..., 0]
    result[..., -2] += rows[..., -1]
    return result


class _BoxMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _box_mean(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _box_mean_adjoint(gradient)


class _FixedTargetError(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, y: Tensor, y_mean: Tensor, y_variance: Tensor, weight: float
    ) -> Tensor:
        x_mean = box_mean(x)
        means = x_mean * y_mean
        x_mean_squared = x_mean * x_mean
        n1 = 2 * means + C1
        n2 = (box_mean(x * y) - means).mul_(2).add_(C2)
        d1 = torch.addcmul(x_mean_squared, y_mean, y_mean).add_(C1)
        d2 = (box_mean(x * x) - x_mean_squared).add_(y_variance).add_(C2)
        inverse = (d1 * d2).reciprocal_()
        ssim = n1 * n2 * inverse
        difference = x - y
        if ctx.needs_input_grad[0]:
            # Derivatives of SSIM by E[x], E[x^2] and E[xy]. SSIM lies in [-1, 1] by the
            # Cauchy-Schwarz inequality, so that clamping never changes its gradient.
            by_mean = (y_mean * (n2 - n1)).sub_(x_mean * ssim * (d2 - d1)).mul_(inverse)
            by_square = ssim * inverse * d1
            by_product = n1.mul_(inverse)
            ctx.save_for_backward(x, y, difference.sign(), by_mean, by_square, by_product)
            ctx.weight = weight
        dissimilarity = ssim.mul_(-0.5).add_(0.5).clamp_(0, 1).mean(-3, keepdim=True)
        absolute = difference.abs_().mean(-3, keepdim=True)
        return dissimilarity.mul_(weight).add_(absolute, alpha=1 - weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, y, sign, by_mean, by_square, by_product = ctx.saved_tensors
        gradient = gradient / x.shape[-3]
        # d dissimilarity / d SSIM = -1/2 cancels the factors 2 of the derivatives.
        by_ssim = -ctx.weight * gradient
        result = _box_mean_adjoint(by_ssim * by_mean)
        result.addcmul_(x, _box_mean_adjoint(by_ssim * by_square), value=-1)
        result.addcmul_(y, _box_mean_adjoint(by_ssim * by_product))
        result.addcmul_(sign, gradient, value=1 - ctx.weight)
        return result, None, None, None, None
