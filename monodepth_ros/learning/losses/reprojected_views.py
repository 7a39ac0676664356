"""The photometric error of source images warped into the target by inverse depth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.reprojection import (
    sample_sources,
    sampling_coordinates,
    source_projection,
)
from monodepth_ros.geometry.validity import eroded
from monodepth_ros.learning.losses.photometric import FixedTarget
from monodepth_ros.learning.losses.slicewise import batch_slices


class ReprojectedViews:
    """A target and its S sources at one resolution: all that the scales of a step share.

    ``homography`` ``(B, S, 3, 3)`` and ``epipole`` ``(B, S, 3)`` carry the gradient of the poses.
    """

    def __init__(
        self,
        images: Tensor,
        T_source_target: Tensor,
        K: Tensor,
        ssim_weight: float,
        padding: str,
        compiled: bool = False,
        valid: Tensor | None = None,
    ) -> None:
        """Take images ``(B, 1 + S, 3, H, W)``, target first, and poses ``(B, S, 4, 4)``.

        ``valid`` (bool ``(B, 1, H, W)``, None for all) tells which pixels of all of them count.
        """
        self.size = image_size(images)
        self.ssim_weight = ssim_weight
        self.padding = padding
        self.compiled = compiled
        self.valid = valid
        self.window = 1 if ssim_weight > 0 else 0  # pixels around one that its error depends on
        self.sources = images[:, 1:].contiguous()
        self.homography, self.epipole = source_projection(T_source_target, K, *self.size)
        with torch.no_grad():
            self._target = FixedTarget.of(images[:, :1], compiled)

    @torch.no_grad()
    def identity_errors(self) -> Tensor:
        """Error of the sources as they are, unwarped: ``(B, S, H, W)``."""
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
        ``epipole`` (slices of this object's) are what gets a gradient.
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
        return eroded(seen, self.window)


def image_size(x: Tensor) -> tuple[int, int]:
    """Height and width of ``(..., H, W)``."""
    return x.shape[-2], x.shape[-1]


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """``x`` ``(B, C, h, w)`` at ``size`` (height, width), bilinear."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
