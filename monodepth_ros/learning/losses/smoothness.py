"""Edge-aware smoothness of disparity, of first and second order.

The first is after Heise et al., "PM-Huber", 2013, as used by Godard et al., 2017 and 2019, with the
disparity normalised by its mean (Wang et al., "Learning depth from monocular videos using direct
methods", 2018) so that a shrinking disparity does not lower the loss. By its spread instead, its
mean absolute deviation, less relief does not lower it either. The first order wants surfaces to
face the camera; the second, as in Woodford et al., "Global stereo reconstruction under second-order
smoothness priors", 2009, leaves planes of any slant as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.learning.losses.masked_mean import masked_mean

Unit = Literal["mean", "spread"]  # of disparity, image by image: what its steps are measured in


def edge_weights(image: Tensor, decay: float = 1.0) -> tuple[Tensor, Tensor]:
    """``exp(-decay mean_c |dx I|)``, ``(B, 1, H, W - 1)``, and along y, ``(B, 1, H - 1, W)``."""
    along_x = image[..., 1:] - image[..., :-1]
    along_y = image[..., 1:, :] - image[..., :-1, :]
    return (
        along_x.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
        along_y.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
    )


def smoothness(
    disparity: Tensor,
    weights: tuple[Tensor, Tensor],
    unit: Unit = "mean",
    valid: Tensor | None = None,
) -> Tensor:
    """Scalar smoothness of ``disparity`` ``(B, 1, H, W)``, given the image's :func:`edge_weights`.

    Forward differences of disparity in its ``unit``, in absolute value, weighted and averaged over
    those between two ``valid`` pixels (bool ``(B, 1, H, W)``; None for all).
    """
    along_x, along_y = _steps(disparity, unit, valid)
    of_x, of_y = _between(valid)
    return masked_mean(along_x.abs() * weights[0], of_x) + masked_mean(
        along_y.abs() * weights[1], of_y
    )


def planarity(
    disparity: Tensor,
    weights: tuple[Tensor, Tensor],
    unit: Unit = "mean",
    valid: Tensor | None = None,
) -> Tensor:
    """Second-order smoothness, arguments as above: 0 for a plane, linear in the pixel by disparity.

    Second differences of disparity in its ``unit``, in absolute value, each weighted by the product
    of the weights of both steps that it compares, so that a step or a fold on an edge of the image
    is cheap.
    """
    along_x, along_y = _steps(disparity, unit, valid)
    of_x, of_y = weights
    inner_x, inner_y = _between(valid)
    if inner_x is not None and inner_y is not None:
        inner_x = inner_x[..., 1:] & inner_x[..., :-1]
        inner_y = inner_y[..., 1:, :] & inner_y[..., :-1, :]
    bend_x = (along_x[..., 1:] - along_x[..., :-1]).abs() * of_x[..., 1:] * of_x[..., :-1]
    bend_y = (
        (along_y[..., 1:, :] - along_y[..., :-1, :]).abs() * of_y[..., 1:, :] * of_y[..., :-1, :]
    )
    return masked_mean(bend_x, inner_x) + masked_mean(bend_y, inner_y)


def _between(valid: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Which forward differences along x and y are of two valid pixels."""
    if valid is None:
        return None, None
    return valid[..., 1:] & valid[..., :-1], valid[..., 1:, :] & valid[..., :-1, :]


def _steps(disparity: Tensor, unit: Unit, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Forward differences along x and y of the disparity in its unit."""
    mean = masked_mean(disparity, valid, (2, 3), keepdim=True)
    size = mean + 1e-7
    if unit == "spread":  # a map without any has steps in thousandths of its mean
        spread = masked_mean((disparity - mean).abs(), valid, (2, 3), keepdim=True)
        size = spread + 1e-3 * size
    measured = disparity / size
    return (
        measured[..., 1:] - measured[..., :-1],
        measured[..., 1:, :] - measured[..., :-1, :],
    )


def resize_to_fit(image: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    """``image`` ``(B, C, H, W)`` at each of ``sizes`` (height, width), finest first.

    Each is averaged down from the one before, on the device; the reference resizes by Lanczos when
    it loads, so that its edges at coarse scales are slightly crisper.
    """
    resized = []
    for size in sizes:
        if image.shape[-2:] != size:
            image = F.adaptive_avg_pool2d(image, size)
        resized.append(image)
    return resized
