"""Image patches as features that poses are aligned by: no network, and no colour constancy."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.feature_alignment import AlignmentLevel, alignment_level
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
