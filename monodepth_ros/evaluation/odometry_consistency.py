"""Whether the covariance of odometry is true: squared errors of motions over what it states.

The normalised squared error of a motion is ``e^T C^-1 e`` (NEES). For a true covariance it follows
the chi-square distribution with 6 degrees of freedom, whose mean is 6: a larger mean is an
overconfident odometry, a smaller one states too much (Y. Bar-Shalom et al., "Estimation with
Applications to Tracking and Navigation", 2001, section 5.4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.evaluation.odometry_metrics import OdometryEvaluation
from monodepth_ros.evaluation.trajectory import Trajectory
from monodepth_ros.geometry.rigid_motion import carried_covariance, inverse, twist_of

DEGREES_OF_FREEDOM = 6
SPANS = (1, 10, 50, 100)  # frames that a motion is measured over
CONFIDENCE = 0.95

Poses = NDArray[np.float64]  # Nx4x4, T_world_camera
Covariances = NDArray[np.float64]  # Nx6x6, position and rotation in the world's axes


@dataclass(frozen=True)
class NormalisedErrors:
    """``e^T C^-1 e`` of motions over ``span`` frames, and how many have no covariance to count by.

    Motions do not overlap, so that their errors are independent if those of steps are.
    """

    span: int
    squares: NDArray[np.float64]
    left_out: int = 0

    def __add__(self, other: NormalisedErrors) -> NormalisedErrors:
        squares = np.concatenate([self.squares, other.squares])
        return NormalisedErrors(self.span, squares, self.left_out + other.left_out)

    @property
    def mean(self) -> float:
        """The NEES; NaN without a motion."""
        return float(self.squares.mean()) if len(self.squares) else np.nan

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the mean lies in 95 % of cases if the covariance is true."""
        return nees_bounds(len(self.squares))

    @property
    def share_inside(self) -> float:
        """Share of the motions within their 95 % ellipsoid; 0.95 for a true covariance."""
        if not len(self.squares):
            return np.nan
        return float((self.squares <= _chi_square(CONFIDENCE, DEGREES_OF_FREEDOM)).mean())


def nees_bounds(count: int) -> tuple[float, float]:
    """The two-sided 95 % interval of the mean of ``count`` true normalised squares; NaN of none."""
    if count == 0:
        return np.nan, np.nan
    outside = (1 - CONFIDENCE) / 2
    lower, upper = (
        _chi_square(share, DEGREES_OF_FREEDOM * count) / count for share in (outside, 1 - outside)
    )
    return lower, upper


def normalised_errors(
    estimate: Poses, truth: Poses, covariances: Covariances, scale: float = 1.0, span: int = 1
) -> NormalisedErrors:
    """Of the motions from frame 0 to ``span``, ``span`` to ``2 span`` and so on.

    ``estimate`` and ``truth`` have worlds of their own; ``covariances`` are those of ``estimate``
    since its start, as chaining independent steps accumulates them. ``scale`` brings the
    estimate's unit to that of the truth; its own error is not in the covariance. A motion counts
    where its covariance is positive definite: while a robot stands still, none is added.
    """
    bounds = range(0, len(truth), span)
    squares, left_out = [], 0
    for first, last in zip(bounds, bounds[1:], strict=False):
        motion, covariance = motion_covariance(estimate, covariances, first, last)
        motion[:3, 3] *= scale
        unit = np.repeat([scale, 1.0], 3)
        error = motion_error(motion, inverse(truth[first]) @ truth[last])
        try:
            root = np.linalg.cholesky(covariance * np.outer(unit, unit))
        except np.linalg.LinAlgError:
            left_out += 1
            continue
        squares.append(float((np.linalg.solve(root, error) ** 2).sum()))
    return NormalisedErrors(span, np.array(squares), left_out)


def consistency(evaluation: OdometryEvaluation, estimate: Trajectory) -> list[NormalisedErrors]:
    """Of the motions of ``estimate`` that were evaluated; none where it has no covariances."""
    if estimate.covariances is None:
        return []
    poses, stated = estimate.poses[evaluation.rows], estimate.covariances[evaluation.rows]
    scale = evaluation.errors.scale
    return [normalised_errors(poses, evaluation.truth.poses, stated, scale, span) for span in SPANS]


def motion_error(estimate: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of a motion ``T_earlier_later``: ``(6,)`` translation and rotation in the earlier's axes."""
    error = np.eye(4)
    error[:3, :3] = truth[:3, :3] @ estimate[:3, :3].T
    error[:3, 3] = truth[:3, 3] - estimate[:3, 3]
    return twist_of(error)


def motion_covariance(
    poses: Poses, covariances: Covariances, first: int, last: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``T_first_last`` and its covariance 6x6 in the axes of ``first``.

    It is what the covariance of ``last`` has beside that of ``first`` carried along, which was
    added since.
    """
    R = poses[first, :3, :3]
    arm = poses[last, :3, 3] - poses[first, :3, 3]
    added = covariances[last] - carried_covariance(covariances[first], np.eye(3), arm)
    added = carried_covariance(added, R.T, np.zeros(3))
    return inverse(poses[first]) @ poses[last], 0.5 * (added + added.T)


def consistency_metrics(errors: Iterable[NormalisedErrors]) -> dict[str, float]:
    """``nees_SPAN`` with its bounds and the number of motions that it is of, by span."""
    by_span: dict[int, NormalisedErrors] = {}
    for found in errors:
        known = by_span.get(found.span)
        by_span[found.span] = found if known is None else known + found
    metrics: dict[str, float] = {}
    for span, pooled in by_span.items():
        if len(pooled.squares):
            metrics[f"nees_{span}"] = pooled.mean
            metrics[f"nees_{span}_lower"], metrics[f"nees_{span}_upper"] = pooled.bounds
            metrics[f"nees_{span}_motions"] = len(pooled.squares)
        if pooled.left_out:
            metrics[f"nees_{span}_left_out"] = pooled.left_out
    return metrics


def _chi_square(share: float, degrees: int) -> float:
    """The value that a chi-square variable stays below with probability ``share``."""
    from scipy.stats import chi2  # takes a second to import

    return float(chi2.ppf(share, degrees))
