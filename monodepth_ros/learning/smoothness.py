"""Edge-aware smoothness of disparity.

After Heise et al., "PM-Huber", 2013, as used by Godard et al., 2017 and 2019, with the disparity
normalised by its mean (Wang et al., "Learning depth from monocular videos using direct methods",
2018) so that a shrinking disparity does not lower the loss.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def edge_weights(image: Tensor, decay: float = 1.0) -> tuple[Tensor, Tensor]:
    """``exp(-decay mean_c |dx I|)``, ``(B, 1, H, W - 1)``, and along y, ``(B, 1, H - 1, W)``."""
    along_x = image[..., 1:] - image[..., :-1]
    along_y = image[..., 1:, :] - image[..., :-1, :]
    return (
        along_x.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
        along_y.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
    )


def smoothness(disparity: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    """Scalar smoothness of ``disparity`` ``(B, 1, H, W)``, given the image's :func:`edge_weights`.

    Forward differences of the mean-normalised disparity, in absolute value, weighted and averaged.
    """
    normalised = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)
    along_x = (normalised[..., 1:] - normalised[..., :-1]).abs() * weights[0]
    along_y = (normalised[..., 1:, :] - normalised[..., :-1, :]).abs() * weights[1]
    return along_x.mean() + along_y.mean()


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
