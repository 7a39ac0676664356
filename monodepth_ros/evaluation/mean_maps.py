"""Means at each pixel: of depth, which is the best constant prediction, and of its errors."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError


class MeanMap:
    """The mean at each pixel over images of one size, of the values that are known there."""

    def __init__(self) -> None:
        self.count: NDArray[np.int64] = np.zeros((), np.int64)  # HxW from the first image on
        self._total: NDArray[np.float64] = np.zeros(())

    def add(self, values: NDArray[np.floating], known: NDArray[np.bool_]) -> None:
        """Add an image, HxW."""
        self._total = self._total + np.where(known, values, 0.0)
        self.count = self.count + known

    def mean(self) -> NDArray[np.float64]:
        """HxW, NaN where nothing is known."""
        return np.where(self.count > 0, self._total, np.nan) / np.maximum(self.count, 1)


def mean_depth_map(sequences: Iterable[Sequence]) -> NDArray[np.float64]:
    """The mean true depth at each pixel over all frames, HxW metres: what the best constant says.

    The arithmetic mean of each pixel's valid depths; NaN where none ever was. Frames that cannot be
    read are left out. UserError when the sequences hold no depth or differ in size.
    """
    maps = MeanMap()
    for sequence in sequences:
        for index in range(len(sequence)):
            try:
                depth = sequence.depth(index)
            except CorruptFrame:
                continue
            if depth is None:
                continue
            if maps.count.ndim and depth.shape != maps.count.shape:
                raise UserError(
                    f"{sequence.name}: depth of {depth.shape[1]}x{depth.shape[0]} cannot be "
                    f"averaged with {maps.count.shape[1]}x{maps.count.shape[0]}"
                )
            maps.add(depth, np.isfinite(depth) & (depth > 0))
    if not maps.count.any():
        raise UserError("no true depth in the sequences that the constant is to be taken from")
    return maps.mean()
