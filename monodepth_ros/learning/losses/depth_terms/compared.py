"""A depth beside the truth that it is compared with, and what every comparison of the two is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Generic, TypeVar

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from monodepth_ros.geometry.projection import pixel_grid
from monodepth_ros.learning.losses.arithmetic.edges import Edges, edge_weights
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


class Compared:
    """A slice ``s`` of a batch: ``inverse_depth`` ``(b, 1, H, W)``, positive, beside its truth."""

    def __init__(self, inverse_depth: Tensor, truth: Truth, s: slice) -> None:
        self.inverse_depth, self.truth, self.s = inverse_depth, truth, s

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


class TermSettings(Section):
    """Of one comparison, beside the others of its loss."""

    weight: NonNegativeFloat = 1.0


class LogDepthSettings(TermSettings):
    """Of a term of the difference in log depth; Eigen et al. call ``scale_invariance`` lambda."""

    scale_invariance: float = Field(0.5, ge=0, le=1, description="0: as it is, 1: blind to scale")


T = TypeVar("T", bound=TermSettings)


class DepthTerm(ABC, Generic[T]):
    """One way to compare two depths."""

    def __init__(self, settings: T) -> None:
        self.settings = settings

    @abstractmethod
    def __call__(self, compared: Compared) -> Tensor:
        """Of each image, ``(b,)``, averaged over the pixels that are known; 0 without any."""


def count(valid: Tensor) -> Tensor:
    """``(b,)``, at least 1."""
    return valid.sum((1, 2, 3)).clamp(min=1)


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
