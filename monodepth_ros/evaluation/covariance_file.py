"""The covariance of a trajectory's poses as a CSV file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation import report_files
from monodepth_ros.evaluation.trajectory import Trajectory

_AXES = ("x", "y", "z", "rx", "ry", "rz")
HEADER = ("stamp", *(f"{row}_{column}" for row in _AXES for column in _AXES))
_SAME_STAMP = 1e-6  # seconds
_ASYMMETRY = 1e-6  # of the product of both deviations


def write_covariances(path: Path, trajectory: Trajectory, covariances: NDArray[np.float64]) -> None:
    """A row for each pose: its key, then the 6x6 row by row, in the order of nav_msgs/Odometry.

    That is position (x, y, z), then rotation about the axes of the trajectory's world, in squares
    of its unit and of radians.
    """
    rows = zip(trajectory.keys, covariances, strict=True)
    report_files.write_csv(
        path, HEADER, ([repr(float(v)) for v in (key, *C.ravel())] for key, C in rows)
    )


def read_covariances(path: Path, trajectory: Trajectory) -> NDArray[np.float64]:
    """``(N, 6, 6)`` of the poses of ``trajectory``.

    The header line may be missing. UserError naming file and line for anything malformed, or where
    a pose has no covariance.
    """
    stamps, found = _rows(path)
    after = np.searchsorted(stamps, trajectory.keys - _SAME_STAMP).clip(max=len(stamps) - 1)
    missing = np.abs(stamps[after] - trajectory.keys) > _SAME_STAMP
    if missing.any():
        raise UserError(
            f"{path}: no covariance of {missing.sum()} of {len(trajectory)} poses of"
            f" {trajectory.name}, the first at {trajectory.keys[missing][0]!r}: check that both"
            " files are of the same run"
        )
    return found[after]


def _rows(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable file of covariances ({error})") from error
    stamps: list[float] = []
    found: list[NDArray[np.float64]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#") or (number == 1 and line.startswith("stamp")):
            continue
        stamp, covariance = _row(line, f"{path}:{number}")
        if stamps and stamp <= stamps[-1]:
            raise UserError(f"{path}:{number}: stamp {stamp!r} is not after {stamps[-1]!r}")
        stamps.append(stamp)
        found.append(covariance)
    if not stamps:
        raise UserError(f"{path}: no covariance in it")
    return np.array(stamps), np.array(found)


def _row(line: str, where: str) -> tuple[float, NDArray[np.float64]]:
    try:
        values = np.array([float(field) for field in line.replace(",", " ").split()])
    except ValueError:
        raise UserError(f"{where}: not numbers: '{line.strip()[:60]}'") from None
    if len(values) != len(HEADER):
        raise UserError(
            f"{where}: {len(values)} numbers; a stamp and the 36 of a 6x6 covariance are"
            f" {len(HEADER)}"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{where}: a number is not finite")
    covariance = values[1:].reshape(6, 6)
    deviations = np.sqrt(np.abs(np.diag(covariance)))
    asymmetry = np.abs(covariance - covariance.T) > _ASYMMETRY * np.outer(deviations, deviations)
    if (np.diag(covariance) < 0).any() or asymmetry.any():
        raise UserError(f"{where}: no covariance: it must be symmetric, without negative variances")
    return float(values[0]), covariance
