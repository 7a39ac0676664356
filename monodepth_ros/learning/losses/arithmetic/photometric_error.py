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
from torch.nn import functional as F

from monodepth_ros.geometry.compilation import compiled_once

C1 = 0.01**2
C2 = 0.03**2

# Variances are differences of moments; about mid-grey these are small and lose little to rounding.
MID_GREY = 0.5


def box_mean(x: Tensor) -> Tensor:
    """Mean over 3x3 windows of ``(..., H, W)``, borders reflected; the same shape."""
    return _window_mean(_reflected(x))


def ssim_dissimilarity(first: Tensor, second: Tensor) -> Tensor:
    """``(1 - SSIM) / 2`` per pixel and channel, in [0, 1]; differentiable in both images."""
    first, second = first - MID_GREY, second - MID_GREY
    first_mean, second_mean = box_mean(first), box_mean(second)
    first_variance = box_mean(first * first) - first_mean * first_mean
    second_variance = box_mean(second * second) - second_mean * second_mean
    covariance = box_mean(first * second) - first_mean * second_mean
    first_mean, second_mean = first_mean + MID_GREY, second_mean + MID_GREY
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

    ``mean`` and ``variance`` are ``(..., C, H, W)``, ``padded`` is the image with a reflected
    border of one pixel, all about mid-grey; none gets a gradient. ``compiled`` tells whether
    torch.compile fuses the arithmetic.
    """

    padded: Tensor
    mean: Tensor
    variance: Tensor
    compiled: bool = False

    @classmethod
    def of(cls, image: Tensor, compiled: bool = False) -> FixedTarget:
        """The statistics of ``image`` ``(..., C, H, W)``."""
        padded = _reflected(image - MID_GREY)
        mean = _window_mean(padded)
        return cls(padded, mean, _window_mean(padded * padded) - mean * mean, compiled)

    def __getitem__(self, index: Any) -> FixedTarget:
        return FixedTarget(
            self.padded[index], self.mean[index], self.variance[index], self.compiled
        )

    def photometric_error(self, image: Tensor, ssim_weight: float = 0.85) -> Tensor:
        """As the function :func:`photometric_error`, several times faster.

        ``image`` broadcasts against the target; it alone gets a gradient, in closed form.
        """
        if ssim_weight == 0:
            return photometric_error(image - MID_GREY, _inner(self.padded), 0.0)
        return _FixedTargetError.apply(image, self, ssim_weight)


class _FixedTargetError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, target: FixedTarget, weight: float) -> Tensor:
        function = compiled_once(_error) if target.compiled else _error
        x, y = _reflected(image).sub_(MID_GREY), target.padded
        error, *derivatives = function(x, y, target.mean, target.variance, weight)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(x, y, *derivatives)
            ctx.weight, ctx.compiled = weight, target.compiled
        return error

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        function = compiled_once(_error_adjoint) if ctx.compiled else _error_adjoint
        return function(gradient, ctx.weight, *ctx.saved_tensors), None, None


def _error(
    x: Tensor, y: Tensor, y_mean: Tensor, y_variance: Tensor, weight: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The error, and half of SSIM's derivatives by E[x], by E[x^2], negated, and by E[xy].

    ``x`` and ``y`` are padded, all is about mid-grey. SSIM lies in [-1, 1] by the Cauchy-Schwarz
    inequality: clamping removes rounding and never changes the derivatives.
    """
    x_mean = _window_mean(x)
    x_light, y_light = x_mean + MID_GREY, y_mean + MID_GREY
    luminance = 2 * x_light * y_light + C1
    luminance_norm = x_light * x_light + y_light * y_light + C1
    structure = 2 * (_window_mean(x * y) - x_mean * y_mean) + C2
    structure_norm = _window_mean(x * x) - x_mean * x_mean + y_variance + C2
    inverse = 1 / (luminance_norm * structure_norm)
    ssim = luminance * structure * inverse
    by_mean = y_light * structure - y_mean * luminance
    by_mean = by_mean - ssim * (x_light * structure_norm - x_mean * luminance_norm)
    by_square = ssim * inverse * luminance_norm
    by_product = luminance * inverse
    dissimilarity = (0.5 - 0.5 * ssim).clamp(0, 1).mean(-3, keepdim=True)
    absolute = (_inner(x) - _inner(y)).abs().mean(-3, keepdim=True)
    error = weight * dissimilarity + (1 - weight) * absolute
    return error, by_mean * inverse, by_square, by_product


def _error_adjoint(
    gradient: Tensor,
    weight: float,
    x: Tensor,
    y: Tensor,
    by_mean: Tensor,
    by_square: Tensor,
    by_product: Tensor,
) -> Tensor:
    """The gradient by the unpadded x of the error whose gradient is given."""
    x, y = _inner(x), _inner(y)
    gradient = gradient / x.shape[-3]
    # d dissimilarity / d SSIM = -1/2: with halved derivatives only its sign is left.
    by_ssim = -weight * gradient
    return (
        _window_mean_adjoint(by_ssim * by_mean)
        - x * _window_mean_adjoint(by_ssim * by_square)
        + y * _window_mean_adjoint(by_ssim * by_product)
        + (1 - weight) * gradient * (x - y).sign()
    )


def _window_mean(padded: Tensor) -> Tensor:
    # Sums of shifted views: an order of magnitude faster on a CPU than avg_pool2d.
    rows = padded[..., :-2, :] + padded[..., 1:-1, :]
    rows += padded[..., 2:, :]
    mean = rows[..., :-2] + rows[..., 1:-1]
    mean += rows[..., 2:]
    mean *= 1 / 9
    return mean


def _window_mean_adjoint(gradient: Tensor) -> Tensor:
    """The adjoint of reflecting the border and averaging, by the image before both."""
    height, width = gradient.shape[-2:]
    padded = F.pad(gradient * (1 / 9), (1, 1, 1, 1))
    up, down = (weights[:, None] for weights in _adjoint_weights(height, gradient))
    rows = padded[..., 1:-1, :] + up * padded[..., :-2, :]
    rows += down * padded[..., 2:, :]
    left, right = _adjoint_weights(width, gradient)
    result = rows[..., 1:-1] + left * rows[..., :-2]
    result += right * rows[..., 2:]
    return result


def _adjoint_weights(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """How often a pixel is in its predecessor's and successor's window: twice beside the border."""
    index = torch.arange(size, device=like.device)
    one = torch.ones((), dtype=like.dtype, device=like.device)
    return torch.where(index == 1, 2 * one, one), torch.where(index == size - 2, 2 * one, one)


def _reflected(image: Tensor) -> Tensor:
    """``(..., C, H, W)`` with a border of one pixel, reflected about the outermost centres."""
    padded = F.pad(image.flatten(end_dim=-4), (1, 1, 1, 1), mode="reflect")
    return padded.view(*image.shape[:-2], *padded.shape[-2:])


def _inner(padded: Tensor) -> Tensor:
    return padded[..., 1:-1, 1:-1]
