"""How the scale of a trajectory changes: lengths over a few frames against true ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPAN = 10  # frames between both ends of a length: single steps are mostly noise
FEWEST = 3  # lengths for a trend
_STEADY = 0.3  # of the median true length; shorter ones are mostly noise

Poses = NDArray[np.float64]  # Nx4x4, T_world_camera


@dataclass(frozen=True)
class ScaleDrift:
    """Of the log of estimated over true lengths; NaN where too few are known.

    The trend is the slope of a line through all of them, over the true path and over frames. The
    spread is their standard deviation, the trend included.
    """

    percent_per_10m: float
    percent_per_100_frames: float
    spread_percent: float


def scale_drift(estimate: Poses, truth: Poses) -> ScaleDrift:
    """Of poses at the same frames, in worlds and units of their own."""
    frames, path, ratios = log_ratios(estimate, truth)
    if len(ratios) < FEWEST:
        return ScaleDrift(np.nan, np.nan, np.nan)
    by_metre, by_frame = (float(np.polyfit(over, ratios, 1)[0]) for over in (path, frames))
    return ScaleDrift(
        100 * float(np.expm1(10 * by_metre)),
        100 * float(np.expm1(100 * by_frame)),
        100 * float(ratios.std()),
    )


def log_ratios(
    estimate: Poses, truth: Poses
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frame and true path in metres at the middle of each length, and log(estimate / truth)."""
    span = max(1, min(SPAN, (len(truth) - 1) // FEWEST))
    estimated, true = (
        np.linalg.norm(poses[span:, :3, 3] - poses[:-span, :3, 3], axis=1)
        for poses in (estimate, truth)
    )
    steps = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    path = np.concatenate([[0.0], np.cumsum(steps)])
    known = (estimated > 0) & (true > 0)
    if known.any():
        known &= true >= _STEADY * np.median(true)
    first = np.flatnonzero(known)
    frames = first.astype(np.float64) + 0.5 * span
    metres = 0.5 * (path[first] + path[first + span])
    return frames, metres, np.log(estimated[known] / true[known]).astype(np.float64)
