"""A target and its sources at one size, and the error of the sources warped into the target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.camera import resizing_matrix
from monodepth_ros.geometry.reprojection import (
    sample_sources,
    sampling_coordinates,
    source_projection,
)
from monodepth_ros.geometry.validity import eroded, shrunk
from monodepth_ros.learning.losses.arithmetic.maps import image_size, upsample
from monodepth_ros.learning.losses.arithmetic.photometric_error import FixedTarget
from monodepth_ros.learning.losses.arithmetic.slicewise import batch_slices

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


def views_of_step(step: Step, size: tuple[int, int], ssim_weight: float, padding: str) -> Views:
    """Target and neighbours of a step, averaged down to ``size``, and K scaled with them."""
    images, K, valid = step.images, step.K, step.valid
    height, width = image_size(images)
    if (height, width) != size:
        smaller = F.adaptive_avg_pool2d(images.flatten(0, 1), size)
        images = smaller.unflatten(0, images.shape[:2])
        K = K.new_tensor(resizing_matrix(size[0] / height, size[1] / width)) @ K
        valid = None if valid is None else shrunk(valid, size)
    return Views(images, K, ssim_weight, padding, step.compiles, valid)


@dataclass(frozen=True)
class Views:
    """Images ``(B, 1 + S, 3, H, W)``, target first, and ``K`` ``(B, 3, 3)`` of that size.

    ``valid`` (bool ``(B, 1, H, W)``, None for all) tells which pixels of all of them count. What
    does not depend on depth and motion is computed once.
    """

    images: Tensor
    K: Tensor
    ssim_weight: float
    padding: str
    compiled: bool = False
    valid: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return image_size(self.images)

    @cached_property
    def sources(self) -> Tensor:
        """``(B, S, 3, H, W)``."""
        return self.images[:, 1:].contiguous()

    @cached_property
    def _target(self) -> FixedTarget:
        with torch.no_grad():
            return FixedTarget.of(self.images[:, :1], self.compiled)

    def projection(self, T_source_target: Tensor) -> tuple[Tensor, Tensor]:
        """Of motions ``(B, S, 4, 4)``, as `errors` takes them."""
        return source_projection(T_source_target, self.K, *self.size)

    @cached_property
    def identity_errors(self) -> Tensor:
        """Error of the sources as they are, unwarped: ``(B, S, H, W)``."""
        with torch.no_grad():
            errors = [
                self._target[s].photometric_error(self.sources[s], self.ssim_weight)
                for s in batch_slices(self.sources)
            ]
            return torch.cat(errors).squeeze(2)

    def errors(
        self, s: slice, inverse_depth: Tensor, homography: Tensor, epipole: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Error of the warped sources for the slice ``s`` of the batch, and where it counts.

        Both are ``(b, S, H, W)``; None where all of it counts. An error counts where neither
        target nor warped source show an invalid pixel, nor beside it where SSIM looks.
        ``inverse_depth`` ``(b, 1, h, w)`` is upsampled to the images; it, ``homography`` and
        ``epipole`` (slices of a `projection`) are what gets a gradient.
        """
        coordinates = sampling_coordinates(
            upsample(inverse_depth, self.size), homography, epipole, self.compiled
        )
        warped = sample_sources(self.sources[s], coordinates, self.padding)
        error = self._target[s].photometric_error(warped, self.ssim_weight).squeeze(2)
        return error, None if self.valid is None else self._counted(self.valid[s], coordinates)

    @torch.no_grad()
    def _counted(self, valid: Tensor, coordinates: Tensor) -> Tensor:
        """Bool ``(b, S, H, W)``: no pixel that the error depends on is invalid in any image."""
        invalid = (~valid).to(coordinates)[:, None].expand(-1, coordinates.shape[1], -1, -1, -1)
        seen = (sample_sources(invalid, coordinates, self.padding).squeeze(2) == 0) & valid
        return eroded(seen, 1 if self.ssim_weight > 0 else 0)  # pixels that an error depends on
