"""Input normalisation shared by every encoder."""

from __future__ import annotations

from torch import Tensor


def normalise(image: Tensor) -> Tensor:
    """``(x - 0.45) / 0.225`` for images in [0, 1]: one scalar for all, as in Monodepth2."""
    return (image - 0.45) / 0.225
