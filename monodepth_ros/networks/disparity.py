"""From the network's sigmoid to depth, as Monodepth2 (ICCV 2019) maps it."""

from __future__ import annotations

from torch import Tensor


def scaled_disparity(sigmoid: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Inverse depth between ``1/max_depth`` and ``1/min_depth``, linear in ``sigmoid``."""
    nearest, farthest = 1.0 / min_depth, 1.0 / max_depth
    return farthest + (nearest - farthest) * sigmoid


def disparity_to_depth(sigmoid: Tensor, min_depth: float, max_depth: float) -> Tensor:
    """Depth between ``min_depth`` and ``max_depth``, in the unit of these two."""
    return 1.0 / scaled_disparity(sigmoid, min_depth, max_depth)
