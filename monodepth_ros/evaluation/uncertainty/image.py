"""What one image tells of its uncertainty, as JSON holds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.evaluation.uncertainty.calibration import LEVELS, within
from monodepth_ros.evaluation.uncertainty.sparsification import (
    gain,
    mean_of_the_rest,
    sparsification,
)
from monodepth_ros.geometry.image_size import resize_linear

Values = NDArray[np.float64]
Map = NDArray[np.floating]
_LEAST = 50  # pixels of a range for a curve of its own


@dataclass(frozen=True)
class UncertaintyMaps:
    """What a prediction says of its error, each HxW or absent.

    ``confidence`` is larger where depth is better. ``relative_stddev`` is that of depth over depth.
    What is NaN is unknown, and counts as least certain.
    """

    confidence: Map | None = None
    relative_stddev: Map | None = None

    def resized(self, size: tuple[int, int]) -> UncertaintyMaps:
        """At another (height, width), linearly."""
        return UncertaintyMaps(
            _resized(self.confidence, size), _resized(self.relative_stddev, size)
        )

    def uncertainty(self) -> Map | None:
        """What ranks the pixels: by confidence, or else by the standard deviation."""
        ranked = self.relative_stddev if self.confidence is None else -self.confidence
        return None if ranked is None else np.where(np.isnan(ranked), np.inf, ranked)


@dataclass(frozen=True)
class RangeResult:
    """Pixels of one range of the truth, from ``near`` to twice that, in metres.

    ``gain`` and ``oracle`` are AURG of abs_rel, None with too few pixels. ``within`` counts the
    ``rated`` pixels, those with a standard deviation, for each of `LEVELS`.
    """

    near: float
    pixels: int
    abs_rel: float
    gain: float | None
    oracle: float | None
    rated: int
    within: list[int]


@dataclass(frozen=True)
class ImageUncertainty:
    """Sparsification of an image, and its ranges. Exact when stored as JSON and read again."""

    curves: dict[str, list[float]]
    oracle: dict[str, list[float]]
    ranges: list[RangeResult]

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> ImageUncertainty:
        """By its ``asdict``."""
        return cls(**{**stored, "ranges": [RangeResult(**part) for part in stored["ranges"]]})


def evaluate_uncertainty(
    depth: Values,
    truth: Values,
    maps: UncertaintyMaps,
    compared: NDArray[np.bool_],
    rated: bool = True,
) -> ImageUncertainty | None:
    """Of the ``compared`` pixels of ``maps``, whose ``depth`` and ``truth`` (N,) are in metres.

    None where the maps say nothing. Without ``rated`` the standard deviation only ranks the pixels,
    because it is not that of this depth.
    """
    maps = maps.resized((compared.shape[0], compared.shape[1]))
    ranked = maps.uncertainty()
    if ranked is None:
        return None
    stddev = np.full(len(depth), np.nan)
    if rated and maps.relative_stddev is not None:
        stddev = maps.relative_stddev[compared].astype(np.float64)
    uncertainty = ranked[compared].astype(np.float64)
    found = sparsification(depth, truth, uncertainty)
    ranges = [*_ranges(depth, truth, uncertainty, stddev)]
    return ImageUncertainty(found.curves, found.oracle, ranges)


def _resized(values: Map | None, size: tuple[int, int]) -> Map | None:
    return values if values is None or values.shape == size else resize_linear(values, size)


def _ranges(
    depth: Values, truth: Values, uncertainty: Values, stddev: Values
) -> Iterator[RangeResult]:
    octave = np.floor(np.log2(truth))
    for power in np.unique(octave):
        chosen = octave == power
        d, t, s = depth[chosen], truth[chosen], stddev[chosen]
        errors, rated = np.abs(d - t) / t, np.isfinite(s)
        found: list[float | None] = [None, None]
        if len(d) >= _LEAST and errors.any():
            ranked = (uncertainty[chosen], errors)
            found = [gain(mean_of_the_rest(errors, by).tolist()) for by in ranked]
        yield RangeResult(
            float(2.0**power),
            len(d),
            float(errors.mean()),
            found[0],
            found[1],
            int(rated.sum()),
            within(d[rated], t[rated], s[rated]) if rated.any() else [0] * len(LEVELS),
        )
