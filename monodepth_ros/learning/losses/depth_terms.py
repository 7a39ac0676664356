"""How two depths are compared: a class for each term, whose fields are its settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from monodepth_ros.geometry.projection import pixel_grid
from monodepth_ros.learning.losses.arithmetic.edges import Edges, between, edge_weights, steps
from monodepth_ros.learning.losses.loss import Section


class Truth:
    """True depth of a batch prepared for comparison; unknown pixels hold 1 m and are masked."""

    def __init__(
        self, depth: Tensor, K: Tensor, image: Tensor, depth_range: tuple[float, float]
    ) -> None:
        """Take ``depth`` ``(B, 1, H, W)``, unknown where it is not finite or not positive.

        It is clipped to the range that the network can say. ``K`` ``(B, 3, 3)`` and ``image``
        ``(B, 3, H, W)`` in [0, 1] are of that size.
        """
        self.K, self.image = K, image
        self.valid = torch.isfinite(depth) & (depth > 0)
        self.depth = torch.where(self.valid, depth.clamp(*depth_range), torch.ones_like(depth))
        self.log_depth = self.depth.log()
        self._edges: dict[float, Edges] = {}

    @cached_property
    def normals(self) -> Tensor:
        """As `surface_normals`."""
        return surface_normals(1 / self.depth, self.K)

    @cached_property
    def normals_valid(self) -> Tensor:
        """Bool ``(B, 1, H - 1, W - 1)``: whose three pixels are known."""
        valid = self.valid
        return valid[..., :-1, :-1] & valid[..., :-1, 1:] & valid[..., 1:, :-1]

    def edges(self, decay: float) -> Edges:
        """`edge_weights` of the image."""
        if decay not in self._edges:
            self._edges[decay] = edge_weights(self.image, decay)
        return self._edges[decay]


@dataclass(frozen=True)
class Compared:
    """A slice ``s`` of a batch: ``inverse_depth`` ``(b, 1, H, W)``, positive, beside its truth."""

    inverse_depth: Tensor
    truth: Truth
    s: slice

    @cached_property
    def difference(self) -> Tensor:
        """``e = log d - log d*`` ``(b, 1, H, W)``, finite also where truth is unknown."""
        return -self.inverse_depth.log() - self.truth.log_depth[self.s]

    @property
    def valid(self) -> Tensor:
        """Bool ``(b, 1, H, W)``: where truth is known."""
        return self.truth.valid[self.s]

    def edges(self, decay: float) -> Edges:
        """`edge_weights` of the image."""
        along_x, along_y = self.truth.edges(decay)
        return along_x[self.s], along_y[self.s]


class DepthTerm(Section, ABC):
    """One way to compare two depths; ``weight`` is beside the others of a loss."""

    weight: NonNegativeFloat = 1.0

    @abstractmethod
    def __call__(self, compared: Compared) -> Tensor:
        """Of each image, ``(b,)``, averaged over the pixels that are known; 0 without any."""


class LogDepthTerm(DepthTerm):
    """Of the difference in log depth; Eigen et al. call ``scale_invariance`` lambda."""

    scale_invariance: float = Field(0.5, ge=0, le=1, description="0: as it is, 1: blind to scale")


class Silog(LogDepthTerm):
    """The scale-invariant log loss.

    Eigen et al., "Depth map prediction from a single image using a multi-scale deep network", 2014.
    """

    def __call__(self, compared: Compared) -> Tensor:
        """``mean e^2 - lambda (mean e)^2``."""
        valid = compared.valid
        e, count = compared.difference * valid, _count(valid)
        scale = (e.sum((1, 2, 3)) / count).square()
        return e.square().sum((1, 2, 3)) / count - self.scale_invariance * scale


class Absolute(LogDepthTerm):
    """Absolute differences of log depth: squares would rather blur an edge than misplace it.

    After Ranftl et al., "Towards robust monocular depth estimation", 2020, there of aligned
    disparity.
    """

    def __call__(self, compared: Compared) -> Tensor:
        """``(1 - lambda) mean |e| + lambda mean |e - median e|``."""
        e, valid = compared.difference, compared.valid
        by_image = torch.where(valid, e, torch.nan).flatten(1)
        median = by_image.nanmedian(1).values.nan_to_num(0.0)[:, None, None, None]
        plain, aligned = (
            ((e - shift) * valid).abs().sum((1, 2, 3)) / _count(valid) for shift in (0.0, median)
        )
        return (1 - self.scale_invariance) * plain + self.scale_invariance * aligned


class Gradient(DepthTerm):
    """Differences of the gradient of log depth, squared as published.

    Eigen and Fergus, "Predicting depth, surface normals and semantic labels with a common
    multi-scale convolutional architecture", 2015.
    """

    norm: Literal["squared", "absolute"] = "squared"  # absolute leaves edges where they are
    # Above 0, exp(-edge_decay |dI|) weighs the differences: not where the image has edges.
    edge_decay: float = Field(0.0, ge=0)

    def __call__(self, compared: Compared) -> Tensor:
        """``1/n sum (dx e)^2 + (dy e)^2`` over differences of two valid pixels."""
        magnitude = torch.square if self.norm == "squared" else torch.abs
        along_x, along_y = steps(compared.difference)
        if self.edge_decay > 0:
            by_x, by_y = compared.edges(self.edge_decay)
            along_x, along_y = along_x * by_x, along_y * by_y
        of_x, of_y = between(compared.valid)
        total = magnitude(along_x * of_x).sum((1, 2, 3)) + magnitude(along_y * of_y).sum((1, 2, 3))
        return total / _count(compared.valid)


class Normal(DepthTerm):
    """Angles between surface normals, ``mean 1 - n . n*``: large beside differences of log depth.

    Hu et al., "Revisiting single image depth estimation: toward higher resolution maps with
    accurate object boundaries", 2019.
    """

    weight: NonNegativeFloat = 0.05

    def __call__(self, compared: Compared) -> Tensor:
        """Over valid normals."""
        truth, s = compared.truth, compared.s
        normals, valid = surface_normals(compared.inverse_depth, truth.K[s]), truth.normals_valid[s]
        distance = 1 - (normals * truth.normals[s]).sum(1, keepdim=True)
        return (distance * valid).sum((1, 2, 3)) / _count(valid)


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
    # Not Tensor.norm: over a short axis it takes as long as all the rest of the loss.
    return normal * normal.square().sum(1, keepdim=True).rsqrt()


def _count(valid: Tensor) -> Tensor:
    """``(b,)``, at least 1."""
    return valid.sum((1, 2, 3)).clamp(min=1)
