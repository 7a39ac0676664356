"""The uncertainty of a whole data set: means over images, and over ranges of the truth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.evaluation.uncertainty.calibration import LEVELS
from monodepth_ros.evaluation.uncertainty.image import ImageUncertainty, RangeResult
from monodepth_ros.evaluation.uncertainty.sparsification import PIXEL_ERRORS, gain

Curves = Mapping[str, NDArray[np.float64]]
_68, _95 = LEVELS.index(0.68), LEVELS.index(0.95)


def figures(images: Sequence[ImageUncertainty]) -> dict[str, float]:
    """AURG and AUSE of each error, and the shares within 68 % and 95 % intervals, NaN if unknown.

    AURG is the area between random and curve, AUSE that between curve and oracle, both relative to
    the random curve, of each image, then the mean over the images that have an error.
    """
    found: dict[str, float] = {}
    for name in PIXEL_ERRORS:
        gains = _mean_gain([image.curves[name] for image in images])
        best = _mean_gain([image.oracle[name] for image in images])
        found |= {f"aurg_{name}": gains, f"ause_{name}": best - gains}
    shares = shares_within([part for image in images for part in image.ranges])
    return {**found, "within_68": float(shares[_68]), "within_95": float(shares[_95])}


def ranges(images: Sequence[ImageUncertainty]) -> dict[str, dict[str, float]]:
    """The same by range of the truth, such as "1-2 m", nearest first; ``share`` of the pixels."""
    parts: defaultdict[float, list[RangeResult]] = defaultdict(list)
    for image in images:
        for part in image.ranges:
            parts[part.near].append(part)
    pixels = sum(part.pixels for found in parts.values() for part in found)
    return {f"{near:g}-{2 * near:g} m": _of_range(parts[near], pixels) for near in sorted(parts)}


def mean_curves(images: Sequence[ImageUncertainty], name: str) -> Curves:
    """By ``confidence`` and ``oracle``: the mean over images of the error left, relative to all."""
    return {
        label: np.mean([np.divide(curve, curve[0]) for curve in found if curve[0] > 0], axis=0)
        for label, found in (
            ("confidence", [image.curves[name] for image in images]),
            ("oracle", [image.oracle[name] for image in images]),
        )
        if any(curve[0] > 0 for curve in found)
    }


def shares_within(parts: Sequence[RangeResult]) -> NDArray[np.float64]:
    """Share of the rated pixels within the interval of each of `LEVELS`; NaN without any."""
    rated = sum(part.rated for part in parts)
    if not rated:
        return np.full(len(LEVELS), np.nan)
    return np.asarray(np.sum([part.within for part in parts], axis=0) / rated, np.float64)


def _of_range(parts: Sequence[RangeResult], pixels: int) -> dict[str, float]:
    counts = np.array([part.pixels for part in parts])
    gains = [part.gain for part in parts if part.gain is not None]
    best = [part.oracle for part in parts if part.oracle is not None]
    shares = shares_within(parts)
    return {
        "share": float(counts.sum() / pixels),
        "abs_rel": float(counts @ [part.abs_rel for part in parts] / counts.sum()),
        "aurg_abs_rel": float(np.mean(gains)) if gains else float("nan"),
        "ause_abs_rel": float(np.mean(best) - np.mean(gains)) if gains else float("nan"),
        "within_68": float(shares[_68]),
        "within_95": float(shares[_95]),
    }


def _mean_gain(curves: Sequence[Sequence[float]]) -> float:
    known = [value for value in map(gain, curves) if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
