"""The motion of a robot as its odometry tells it: poses over time, whatever measures them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, inverse, motion_of, twist_of
from monodepth_ros.stamps import SECOND

_KEPT = 2000  # poses: ten seconds at 200 Hz
_MAX_GAP = 0.5  # seconds between two poses that are interpolated
_MAX_SPEED = 60.0  # m/s; a faster step is a jump of the odometry
_BY_TWIST = 0.1  # metres driven by the twist, after which a pose that stands still is none


@dataclass(frozen=True)
class KnownPose:
    """``T_world_body`` 4x4 at ``stamp`` nanoseconds; ``variance`` is that of its position, m²."""

    stamp: int
    T_world_body: Matrix
    variance: float = 0.0


class KnownMotion:
    """Poses over time. Whatever the world is, only motions between two times count.

    An odometry that fills in its twist alone is integrated.
    """

    def __init__(self) -> None:
        self._poses: deque[KnownPose] = deque(maxlen=_KEPT)
        self._driven: deque[KnownPose] = deque(maxlen=_KEPT)  # by the twist
        self._twist: NDArray[np.float64] | None = None
        self._first: Matrix | None = None
        self._poses_move = False
        self.jumps = 0  # of the odometry

    @property
    def newest(self) -> int | None:
        """Stamp of the last pose; None before there is one."""
        known = self._used
        return known[-1].stamp if known else None

    def add(
        self,
        stamp: int,
        T_world_body: Matrix | None,
        twist: NDArray[np.float64] | None = None,
        variance: float = 0.0,
    ) -> None:
        """What an odometry says at ``stamp`` nanoseconds: a pose, a twist (6,), or both.

        The twist is in m/s and rad/s along and about the axes of the body. What is not finite does
        not count.
        """
        if (newest := self.newest) is not None and stamp <= newest:
            if stamp > newest - SECOND:
                return  # a repeated message, or out of order
            self.reset()  # the clock has jumped back
        if twist is not None and np.isfinite(twist).all():
            self._drive(stamp, twist)
        if T_world_body is None or not np.isfinite(T_world_body).all():
            return
        self._first = T_world_body if self._first is None else self._first
        self._poses_move |= not np.allclose(T_world_body, self._first, rtol=0, atol=1e-4)
        if self._poses and self._is_jump(self._poses[-1], stamp, T_world_body):
            self._poses.clear()
            self.jumps += 1
        self._poses.append(KnownPose(stamp, T_world_body, variance))

    def reset(self) -> None:
        """Forget all: the clock was set."""
        self._poses.clear()
        self._driven.clear()
        self._twist = None

    def is_to_come(self, stamp: int) -> bool:
        """Whether a pose of this time may still come."""
        return self.newest is None or self.newest < stamp

    def at(self, stamp: int) -> KnownPose | str:
        """The pose at a time, interpolated, or why it is not known."""
        known = self._used
        if not known or known[-1].stamp < stamp:
            return "no odometry at the time of the images"
        after = len(known) - 1
        while after > 0 and known[after - 1].stamp >= stamp:
            after -= 1
        later = known[after]
        if later.stamp == stamp:
            return later
        if after == 0:
            return "no odometry at the time of the images"
        earlier = known[after - 1]
        gap = (later.stamp - earlier.stamp) / SECOND
        if gap > _MAX_GAP:
            return f"odometry comes every {gap:.1f} s; at most {_MAX_GAP} s are allowed"
        share = (stamp - earlier.stamp) / (later.stamp - earlier.stamp)
        step = twist_of(inverse(earlier.T_world_body) @ later.T_world_body)
        variance = (1 - share) * earlier.variance + share * later.variance
        return KnownPose(stamp, earlier.T_world_body @ motion_of(share * step), variance)

    @property
    def _used(self) -> deque[KnownPose]:
        """The poses, or those by the twist where the pose is not filled in."""
        if self._poses_move or not self._driven:
            return self._poses
        moved = np.linalg.norm(self._driven[-1].T_world_body[:3, 3])
        return self._driven if moved > _BY_TWIST or not self._poses else self._poses

    def _drive(self, stamp: int, twist: NDArray[np.float64]) -> None:
        former, self._twist = self._twist, twist
        if former is None or not self._driven:
            self._driven.append(KnownPose(stamp, np.eye(4)))
            return
        before = self._driven[-1]
        seconds = (stamp - before.stamp) / SECOND
        step = (former + twist) / 2 * seconds
        half = motion_of(np.concatenate([np.zeros(3), step[3:] / 2]))
        T = motion_of(step)
        T[:3, 3] = half[:3, :3] @ step[:3]
        self._driven.append(KnownPose(stamp, before.T_world_body @ T))

    @staticmethod
    def _is_jump(before: KnownPose, stamp: int, T_world_body: Matrix) -> bool:
        seconds = (stamp - before.stamp) / SECOND
        apart = float(np.linalg.norm(T_world_body[:3, 3] - before.T_world_body[:3, 3]))
        return apart > _MAX_SPEED * max(seconds, 1e-3)
