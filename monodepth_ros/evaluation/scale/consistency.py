"""How constant the scale of a relative prediction is, and how well pose and depth share one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

MIN_MOTION_M = 0.1  # the ratio of shorter motions is mostly noise of the truth


def ratio_spread(ratios: ArrayLike) -> tuple[float, float]:
    """(median, std of ratios / median) over the images of a data set, as Monodepth2 prints."""
    values = np.asarray(ratios, np.float64)
    median = float(np.median(values))
    return median, float(np.std(values / median))


def sequence_scale_std(ratios: Mapping[str, ArrayLike]) -> float:
    """Mean over sequences of the std of median(truth)/median(prediction) over its own mean."""
    return float(np.mean([_relative_std(values) for values in ratios.values()]))


def cross_sequence_scale_std(ratios: Mapping[str, ArrayLike]) -> float:
    """Std over sequences of (mean ratio of the sequence / mean of those)."""
    return _relative_std([np.mean(np.asarray(values, np.float64)) for values in ratios.values()])


def _relative_std(values: ArrayLike) -> float:
    values = np.asarray(values, np.float64)
    return float(np.std(values / values.mean()))


def pose_scales(
    estimate: NDArray[np.float64],
    truth: NDArray[np.float64],
    min_motion: float = MIN_MOTION_M,
) -> NDArray[np.float64]:
    """||t_truth|| / ||t_estimate|| of each motion between consecutive Nx4x4 T_world_camera poses.

    Shape N-1; NaN where the true motion is below `min_motion` metres or the estimate stands still.
    """
    true_length = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    pred_length = np.linalg.norm(np.diff(estimate[:, :3, 3], axis=0), axis=1)
    usable = (true_length >= min_motion) & (pred_length > 0)
    return np.where(usable, true_length, np.nan) / np.where(usable, pred_length, 1.0)


class LogRatio(NamedTuple):
    """Of log rho over the images: the median of its size, its spread, and its own median.

    All are 0 for a pose and a depth network of one common scale. An offset without spread is a
    distortion of depth: motions agree with the depths that they are seen by, not with its median.
    """

    median: float
    std: float
    offset: float


def pose_depth_log_ratio(
    pose: Sequence[float] | NDArray[np.float64], depth: Sequence[float] | NDArray[np.float64]
) -> LogRatio:
    """How well both agree; rho = pose scale / depth scale of each image.

    Entries that are not finite are left out; NaN when none is left.
    """
    pose_scale, depth_scale = np.asarray(pose, np.float64), np.asarray(depth, np.float64)
    usable = np.isfinite(pose_scale) & np.isfinite(depth_scale)
    if not usable.any():
        return LogRatio(np.nan, np.nan, np.nan)
    log_rho = np.log(pose_scale[usable]) - np.log(depth_scale[usable])
    return LogRatio(
        float(np.median(np.abs(log_rho))), float(np.std(log_rho)), float(np.median(log_rho))
    )
