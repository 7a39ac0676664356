"""Points of the world, each by its ray and inverse depth in the keyframe that saw it first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NEAREST = 1e-2  # of a landmark's distance: what is nearer to a camera's plane is not seen by it


@dataclass(frozen=True)
class Landmarks:
    """Arrays of N landmarks, sorted by ``ids``.

    ``hosts`` (N,) are numbers of keyframes, ``rays`` (N, 3) lie at Z = 1 in those.
    ``log_inverse_depths`` (N,) are natural logarithms, ``variances`` (N,) theirs. ``priors`` (N,)
    are what was expected of them, with the weights ``precisions`` (N,), inverse variances.
    """

    ids: Integers
    hosts: Integers
    rays: Floats
    log_inverse_depths: Floats
    variances: Floats
    priors: Floats
    precisions: Floats

    @classmethod
    def expected(
        cls, ids: Integers, host: int, points: Floats, log_inverse_depths: Floats, deviation: float
    ) -> Landmarks:
        """New ones at image points ``(N, 2)`` of a keyframe, whose depth is only predicted."""
        count = len(ids)
        return cls(
            ids,
            np.full(count, host, np.int64),
            np.column_stack([points, np.ones(count)]),
            log_inverse_depths,
            np.full(count, deviation**2),
            log_inverse_depths,
            np.full(count, deviation**-2),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, kept: NDArray[np.bool_] | Integers) -> Landmarks:
        return Landmarks(*(getattr(self, part.name)[kept] for part in fields(self)))

    def __add__(self, others: Landmarks) -> Landmarks:
        """Both, where all ids of the others are larger."""
        return Landmarks(
            *(
                np.concatenate([getattr(self, part.name), getattr(others, part.name)])
                for part in fields(self)
            )
        )

    def known(self, ids: Integers) -> NDArray[np.bool_]:
        """Which of these ids are landmarks."""
        if not len(self):
            return np.zeros(len(ids), np.bool_)
        return np.asarray(self.ids[np.minimum(self.rows(ids), len(self) - 1)] == ids)

    def rows(self, ids: Integers) -> Integers:
        """Where the landmarks of these ids are."""
        return np.searchsorted(self.ids, ids)

    def points(self) -> Floats:
        """``(N, 3)`` in the frames of their keyframes."""
        return np.asarray(self.rays * np.exp(-self.log_inverse_depths)[:, None])

    def scaled(self, log_factor: float) -> Landmarks:
        """With all depths multiplied by the exponential of ``log_factor``."""
        return replace(
            self,
            log_inverse_depths=self.log_inverse_depths - log_factor,
            priors=self.priors - log_factor,
        )

    def hosted_by(self, hosts: Integers) -> Landmarks:
        """With other numbers for the keyframes."""
        return replace(self, hosts=hosts)

    def estimated(self, log_inverse_depths: Floats, variances: Floats) -> Landmarks:
        """With new depths."""
        return replace(self, log_inverse_depths=log_inverse_depths, variances=variances)

    def moved(self, rows: Integers, host: int, points: Floats, T_host_former: Matrix) -> Landmarks:
        """Some of them given to another keyframe, which sees them at image points ``(n, 2)``.

        What is known of their depth becomes its prior. Those that are not in front of the other
        keyframe keep their depth, without weight.
        """
        there = self.points()[rows] @ T_host_former[:3, :3].T + T_host_former[:3, 3]
        seen = there[:, 2] > NEAREST * np.linalg.norm(there, axis=1)
        depth = np.where(seen, there[:, 2], 1.0)
        log_inverse = np.where(seen, -np.log(depth), self.log_inverse_depths[rows])
        # The observations that stay in the window are part of the variance, and count again.
        precision = np.where(seen, 1 / np.maximum(4 * self.variances[rows], 1e-4), 1e-2)
        out = replace(self, **{part.name: getattr(self, part.name).copy() for part in fields(self)})
        out.hosts[rows], out.rays[rows, :2] = host, points
        out.log_inverse_depths[rows] = out.priors[rows] = log_inverse
        out.precisions[rows] = precision
        return out


NO_LANDMARKS = Landmarks.expected(
    np.empty(0, np.int64), 0, np.empty((0, 2)), np.empty(0), deviation=1.0
)
