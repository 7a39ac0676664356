"""Image patches as features that poses are aligned by: no network, and no colour constancy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.feature_alignment import (
    AlignmentLevel,
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


def patch_level(
    stride: int,
    inverse_depth: Tensor,
    images: Tensor,
    K: Tensor,
    damping: Tensor | float,
    valid: Tensor | None = None,
) -> AlignmentLevel:
    """The level at which N sources are aligned with each of B targets by patches: B * N pairs.

    Args:
        stride: of the patches, in pixels.
        inverse_depth: of the targets, ``(B, 1, H, W)``.
        images: ``(B, 1 + N, 3, H, W)`` in [0, 1], the target first.
        K: ``(B, 3, 3)`` at this size.
        damping: relative to the diagonal, one or ``(6,)``.
        valid: which pixels of all these images show something, bool ``(B, 1, H, W)``; None for all.
    """
    features = patch_features(images.flatten(0, 1), stride).unflatten(0, images.shape[:2])
    whole = None if valid is None else valid_patches(valid, stride)
    return alignment_level(features, inverse_depth, K, damping=damping, valid=whole)


@torch.inference_mode()
def refine_by_patches(
    T_source_target: NDArray[np.float64],
    inverse_depth: NDArray[np.float32],
    images: NDArray[np.uint8],
    K: NDArray[np.float64],
    valid: NDArray[np.bool_] | None,
    device: str,
) -> NDArray[np.float64]:
    """Refine the motion of one live pair, 4x4, by patches.

    Args:
        T_source_target: first guess.
        inverse_depth: of the target, ``(H, W)``.
        images: ``(2, H, W, 3)``, the target first.
        K: 3x3 of both.
        valid: ``(H, W)``, which pixels of both show something; None for all.
        device: to compute on, where torch knows it; else the CPU.
    """
    at = torch.device(device if device.startswith("cuda") else "cpu")
    pixels = torch.from_numpy(images).to(at).permute(0, 3, 1, 2)[None].float().contiguous() / 255.0
    levels = [
        patch_level(
            stride,
            torch.from_numpy(inverse_depth)[None, None].to(at),
            pixels,
            torch.from_numpy(K)[None].float().to(at),
            DAMPING,
            None if valid is None else torch.from_numpy(valid)[None, None].to(at),
        )
        for stride in STRIDES
    ]
    start = torch.from_numpy(T_source_target)[None].float().to(at)
    # The same points for the same frames, whatever was refined before.
    generator = torch.Generator(at).manual_seed(0)
    settings = AlignmentSettings(iterations=ITERATIONS)
    refined = refine_pose(start, levels, settings, generator).T[0]
    return np.asarray(refined.double().cpu().numpy())
