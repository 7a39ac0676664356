"""The TF tree of a bag: transforms between frames at any time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from monodepth_ros.data.known_pose import UNKNOWN, Matrix, pose_of_quaternion
from monodepth_ros.geometry.rigid_motion import rigid

# Transforms that vary by less than this over the whole bag are constant, such as a mounting.
SAME_METRES, SAME_RADIANS = 1e-4, 1e-4
MAX_GAP = 500_000_000  # nanoseconds; longer gaps between poses are not interpolated


class Unknown(NamedTuple):
    """Why something is not known at a time.

    ``{gap}`` in the reason stands for ``gap``: the distance to the nearest value, in nanoseconds.
    """

    reason: str
    gap: int | None = None


def matrix_of(translation: Any, rotation: Any) -> Matrix:
    """4x4 of the translation and rotation of a transform or pose message.

    ValueError if the message states no pose.
    """
    T = matrix_of_pose(translation, rotation)
    if T is None:
        raise ValueError(f"no pose: {UNKNOWN}")
    return T


def matrix_of_pose(translation: Any, rotation: Any) -> Matrix | None:
    """4x4 of the fields of a transform or pose message; None if they state no pose."""
    position = (translation.x, translation.y, translation.z)
    return pose_of_quaternion(position, (rotation.x, rotation.y, rotation.z, rotation.w))


@dataclass
class PoseTrack:
    """4x4 poses over time (ns), and the times of messages without a pose (``lost``).

    A pose of a ``static`` track is valid until the next one.
    """

    name: str
    stamps: list[int] = field(default_factory=list)
    poses: list[Matrix] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    static: bool = False

    def add(self, stamp: int, T: Matrix | None, static: bool = False) -> None:
        """Add a pose, or None for a message without one."""
        self.__dict__.pop("constant", None)
        self.static |= static
        if T is None:
            insort(self.lost, stamp)
            return
        place = bisect_left(self.stamps, stamp)
        if place < len(self.stamps) and self.stamps[place] == stamp:
            self.poses[place] = T
        else:
            self.stamps.insert(place, stamp)
            self.poses.insert(place, T)

    @cached_property
    def constant(self) -> bool:
        """Whether the pose never changes."""
        if not self.poses:
            return False
        apart = np.linalg.inv(self.poses[0]) @ np.stack(self.poses)
        turned = Rotation.from_matrix(apart[:, :3, :3]).magnitude()
        moved = np.linalg.norm(apart[:, :3, 3], axis=1)
        return bool((moved <= SAME_METRES).all() and (turned <= SAME_RADIANS).all())

    @property
    def extent(self) -> float:
        """The extent of the positions in metres."""
        if not self.poses:
            return 0.0
        return float(np.linalg.norm(np.ptp(np.stack(self.poses)[:, :3, 3], axis=0)))

    def at(self, stamp: int, hold: bool = False) -> Matrix | Unknown:
        """The pose at ``stamp``, interpolated; with ``hold`` a constant pose is always valid."""
        if not self.stamps:
            return Unknown(f"no message of {self.name} states a pose: {UNKNOWN}")
        within = self.stamps[0] <= stamp <= self.stamps[-1]
        if self.constant and (hold or self.static or (within and not self.lost)):
            return self.poses[0]
        if self.static:
            return self.poses[max(0, bisect_right(self.stamps, stamp) - 1)]
        after = bisect_left(self.stamps, stamp)
        if after < len(self.stamps) and self.stamps[after] == stamp:
            return self.poses[after]
        if not within:
            nearest = self.stamps[0] if after == 0 else self.stamps[-1]
            where = "before the first" if after == 0 else "after the last"
            return Unknown(f"{{gap}} {where} of {self.name}", abs(stamp - nearest))
        begin, end = self.stamps[after - 1], self.stamps[after]
        if bisect_left(self.lost, begin) < bisect_left(self.lost, end):
            return Unknown(f"{self.name} states no pose then: {UNKNOWN}")
        if end - begin > MAX_GAP:
            limit = f"(at most {MAX_GAP / 1e9:g} s)"
            return Unknown(f"{self.name} pauses for {{gap}} {limit}", end - begin)
        return _between(self.poses[after - 1], self.poses[after], (stamp - begin) / (end - begin))


def _between(first: Matrix, second: Matrix, share: float) -> Matrix:
    rotations = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    position = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return rigid(Slerp([0.0, 1.0], rotations)(share).as_matrix(), position)


class TransformTree:
    """Every frame has at most one parent, as in TF; leading slashes (ROS 1) are ignored.

    If messages give a frame several parents, the one with most messages counts.
    """

    def __init__(self) -> None:
        self._links: dict[tuple[str, str], PoseTrack] = {}
        self._parents: dict[str, Counter[str]] = {}

    def add(
        self, parent: str, child: str, stamp: int, T: Matrix | None, static: bool = False
    ) -> None:
        """Add ``T_parent_child`` at ``stamp`` nanoseconds; None for a message without a pose."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if (parent, child) not in self._links:
            self._links[parent, child] = PoseTrack(f"{parent} -> {child}")
        self._parents.setdefault(child, Counter())[parent] += 1
        self._links[parent, child].add(stamp, T, static)

    @property
    def notes(self) -> list[str]:
        """Contradictions: frames with several parents."""
        return [
            f"TF: the frame {child} has several parents"
            f" ({', '.join(f'{parent}: {n} messages' for parent, n in parents.most_common())});"
            f" {parents.most_common(1)[0][0]} is used"
            for child, parents in self._parents.items()
            if len(parents) > 1
        ]

    def ancestors(self, frame: str) -> list[str]:
        """The frame itself, its parent, and so on up to the root."""
        chain = [frame.lstrip("/")]
        while chain[-1] in self._parents:
            parent = self._parents[chain[-1]].most_common(1)[0][0]
            if parent in chain:
                break
            chain.append(parent)
        return chain

    def lookup(
        self, ancestor: str, frame: str, stamp: int, mounting: bool = False
    ) -> Matrix | Unknown:
        """``T_ancestor_frame`` at a time, or why it is not known then.

        A constant transform is valid for the whole bag, whatever its rate, if the chain is a
        ``mounting`` or if another transform of the chain moves and so bounds the time.
        """
        chain = self.ancestors(frame)
        ancestor = ancestor.lstrip("/")
        if ancestor not in chain:
            return Unknown(f"TF has no way from {ancestor} to {frame}")
        links = self._links_to(ancestor, frame)
        hold = mounting or not all(link.constant for link in links)
        T = np.eye(4)
        for link in links:
            step = link.at(stamp, hold=hold)
            if isinstance(step, Unknown):
                return step
            T = step @ T
        return T

    def is_rigidly_connected(self, body: str, frame: str) -> bool:
        """Whether constant transforms connect ``body`` to the common ancestor with ``frame``.

        Frames that only a moving transform connects are not one robot; it may be an estimate.
        """
        common = self._common(body, frame)
        return common is not None and all(link.constant for link in self._links_to(common, body))

    def _common(self, frame: str, other: str) -> str | None:
        """The nearest common ancestor, or one of the two; None if TF does not connect them."""
        others = self.ancestors(other)
        return next((name for name in self.ancestors(frame) if name in others), None)

    def _links_to(self, ancestor: str, frame: str) -> list[PoseTrack]:
        chain = self.ancestors(frame)
        length = chain.index(ancestor)
        return [self._links[chain[i + 1], chain[i]] for i in range(length)]

    def relation(self, frame: str, other: str, stamp: int) -> Matrix | Unknown:
        """``T_other_frame`` of two frames of one robot, via their common ancestor."""
        common = self._common(frame, other)
        if common is None:
            return Unknown(f"TF has no way from {frame} to {other}")
        T_common_frame = self.lookup(common, frame, stamp, mounting=True)
        T_common_other = self.lookup(common, other, stamp, mounting=True)
        if isinstance(T_common_frame, Unknown):
            return T_common_frame
        if isinstance(T_common_other, Unknown):
            return T_common_other
        return np.linalg.inv(T_common_other) @ T_common_frame
