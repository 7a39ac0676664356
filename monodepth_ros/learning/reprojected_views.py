"""The photometric error of source images warped into the target by inverse depth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.learning.photometric import FixedTarget
from monodepth_ros.learning.reprojection import sampling_coordinates, source_projection
from monodepth_ros.learning.slicewise import batch_slices


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
    ) -> None:
        """Take images ``(B, 1 + S, 3, H, W)``, target first, and poses ``(B, S, 4, 4)``."""
        self.size = image_size(images)
        self.ssim_weight = ssim_weight
        self.padding = padding
        self.compiled = compiled
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
    ) -> Tensor:
        """Error of the warped sources for the slice ``s`` of the batch: ``(b, S, H, W)``.

        ``inverse_depth`` ``(b, 1, h, w)`` is upsampled to the images; it, ``homography`` and
        ``epipole`` (slices of this object's) are what gets a gradient.
        """
        coordinates = sampling_coordinates(
            upsample(inverse_depth, self.size), homography, epipole, self.compiled
        )
        warped = F.grid_sample(
            self.sources[s].flatten(0, 1),
            coordinates.flatten(0, 1).permute(0, 2, 3, 1),
            mode="bilinear",
            padding_mode=self.padding,
            align_corners=True,
        ).unflatten(0, coordinates.shape[:2])
        return self._target[s].photometric_error(warped, self.ssim_weight).squeeze(2)


def image_size(x: Tensor) -> tuple[int, int]:
    """Height and width of ``(..., H, W)``."""
    return x.shape[-2], x.shape[-1]


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """``x`` ``(B, C, h, w)`` at ``size`` (height, width), bilinear."""
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)
