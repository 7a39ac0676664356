"""Alignment of an estimated trajectory with the truth before errors are measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError

ALIGNMENTS = ("none", "scale", "6dof", "7dof")


@dataclass(frozen=True)
class Similarity:
    """x -> scale * R x + t, from the estimate's world to the truth's."""

    scale: float
    R: NDArray[np.float64]
    t: NDArray[np.float64]

    def apply_to_poses(self, poses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Nx4x4 poses with positions transformed and orientations rotated (still rigid)."""
        moved = poses.copy()
        moved[:, :3, 3] *= self.scale
        rigid = np.eye(4)
        rigid[:3, :3], rigid[:3, 3] = self.R, self.t
        return rigid @ moved

    def inverse(self) -> Similarity:
        """From the truth's world to the estimate's."""
        return Similarity(1 / self.scale, self.R.T, -self.R.T @ self.t / self.scale)


def align(estimate: NDArray[np.float64], truth: NDArray[np.float64], method: str) -> Similarity:
    """The transform of `method` that brings positions `estimate` (Nx3) to `truth` (Nx3).

    `none`; `scale`: one least-squares factor about the origin; `6dof`: rotation and translation;
    `7dof`: those and scale. UserError when the motion cannot determine a scale.
    """
    if method == "none":
        return Similarity(1.0, np.eye(3), np.zeros(3))
    if method == "scale":
        _require_motion(estimate, truth, about=np.zeros(3))
        scale = float((truth * estimate).sum() / (estimate**2).sum())
        return Similarity(scale, np.eye(3), np.zeros(3))
    if method in ("6dof", "7dof"):
        return umeyama(estimate, truth, with_scale=method == "7dof")
    raise UserError(f"unknown alignment '{method}': use one of {', '.join(ALIGNMENTS)}")


def umeyama(
    source: NDArray[np.float64], target: NDArray[np.float64], with_scale: bool
) -> Similarity:
    """The least-squares similarity (or rigid motion) from points `source` to `target`, both Nx3.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 1991, eq. 40-43. Points on one line leave the turn about it open: one of the optima is
    returned, all of equal residual.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    if with_scale:
        _require_motion(source, target, about=None)
    x, y = source - source_mean, target - target_mean
    U, D, Vt = np.linalg.svd(y.T @ x / len(x))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(U) * np.linalg.det(Vt))])  # no reflection
    R = U @ np.diag(signs) @ Vt
    scale = float((D * signs).sum() / (x**2).sum(1).mean()) if with_scale else 1.0
    return Similarity(scale, R, target_mean - scale * R @ source_mean)


def _require_motion(
    estimate: NDArray[np.float64],
    truth: NDArray[np.float64],
    about: NDArray[np.float64] | None,
) -> None:
    for name, points in (("estimate", estimate), ("truth", truth)):
        centre = points.mean(0) if about is None else about
        spread = np.abs(points - centre).max()
        if spread <= 1e-9 * max(1.0, float(np.abs(points).max())):
            raise UserError(
                f"the {name} does not move over the {len(points)} common poses, "
                "so no scale can be aligned: use 'none' or '6dof'"
            )
