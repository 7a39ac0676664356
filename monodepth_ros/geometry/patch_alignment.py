"""Image patches as features that poses are aligned by: no network, and no colour constancy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.feature_alignment import (
    AlignmentSettings,
    alignment_level,
    refine_pose,
)
from monodepth_ros.geometry.validity import eroded

# What aligns video of a few pixels to some dozens between two images; training and live alike.
STRIDES = (8, 4, 2)  # of the levels, coarse first
ITERATIONS = 8  # at each level
DAMPING = 0.01
_CONTRAST = 0.05  # grey levels of [0, 1] below which a patch counts as plain


def patch_features(images: Tensor, stride: int) -> Tensor:
    """3x3 patches of the grey image, ``(B, 9, H / stride, W / stride)``.

    Without their mean and divided by their contrast, so that brightness does not matter: their
    difference then measures what normalised cross-correlation does. Plain patches are near zero.
    """
    grey = F.avg_pool2d(images.mean(1, keepdim=True), stride)
    patches = F.unfold(F.pad(grey, (1, 1, 1, 1), mode="replicate"), 3)
    patches = patches.unflatten(2, (grey.shape[-2], grey.shape[-1]))
    patches = patches - patches.mean(1, keepdim=True)
    return patches / (patches.norm(dim=1, keepdim=True) + _CONTRAST)


def valid_patches(valid: Tensor, stride: int) -> Tensor:
    """Which patches of `patch_features` hold nothing but valid pixels, bool ``(B, 1, h, w)``."""
    return eroded(F.avg_pool2d((~valid).float(), stride) == 0, 1)


@torch.inference_mode()
def refine_by_patches(
    T_source_target: NDArray[np.float64],
    inverse_depth: NDArray[np.float32],
    images: NDArray[np.uint8],
    camera: PinholeCamera,
    device: str,
) -> NDArray[np.float64]:
    """Refine the motion of one live pair, 4x4, by patches.

    Args:
        T_source_target: first guess.
        inverse_depth: of the target, ``(H, W)``.
        images: ``(2, H, W, 3)``, the target first.
        camera: of both at this size.
        device: to compute on, where torch knows it; else the CPU.
    """
    at = torch.device(device if device.startswith("cuda") else "cpu")
    pixels = torch.from_numpy(images).to(at).permute(0, 3, 1, 2).float().contiguous() / 255.0
    valid = None if camera.valid is None else torch.from_numpy(camera.valid)[None, None].to(at)
    levels = [
        alignment_level(
            patch_features(pixels, stride)[None],
            torch.from_numpy(inverse_depth)[None, None].to(at),
            torch.from_numpy(camera.K)[None].float().to(at),
            damping=DAMPING,
            valid=None if valid is None else valid_patches(valid, stride),
        )
        for stride in STRIDES
    ]
    start = torch.from_numpy(T_source_target)[None].float().to(at)
    # The same points for the same frames, whatever was refined before.
    generator = torch.Generator(at).manual_seed(0)
    settings = AlignmentSettings(iterations=ITERATIONS)
    refined = refine_pose(start, levels, settings, generator).T[0]
    return np.asarray(refined.double().cpu().numpy())
