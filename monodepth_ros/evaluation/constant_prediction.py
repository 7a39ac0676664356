"""The best constant prediction: what a network that has not learned to see reaches."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError


def mean_depth_map(sequences: Iterable[Sequence]) -> NDArray[np.float64]:
    """The mean true depth at each pixel over all frames, HxW metres.

    The arithmetic mean of each pixel's valid depths; NaN where none ever was. Frames that cannot be
    read are left out. UserError when the sequences hold no depth or differ in size.
    """
    total: NDArray[np.float64] | None = None
    count: NDArray[np.int64] | None = None
    for sequence in sequences:
        for index in range(len(sequence)):
            try:
                depth = sequence.depth(index)
            except CorruptFrame:
                continue
            if depth is None:
                continue
            if total is None or count is None:
                total, count = np.zeros(depth.shape), np.zeros(depth.shape, np.int64)
            if depth.shape != total.shape:
                raise UserError(
                    f"{sequence.name}: depth of {depth.shape[1]}x{depth.shape[0]} cannot be "
                    f"averaged with {total.shape[1]}x{total.shape[0]}"
                )
            valid = np.isfinite(depth) & (depth > 0)
            total[valid] += depth[valid]
            count[valid] += 1
    if total is None or count is None or not count.any():
        raise UserError("no true depth in the sequences that the constant is to be taken from")
    return np.where(count > 0, total, np.nan) / np.maximum(count, 1)
