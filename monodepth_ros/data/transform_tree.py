"""Frames in a bag: who is where in whom, at any time, from TF and odometry messages."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from monodepth_ros.data.known_pose import UNKNOWN, Matrix, pose_of_quaternion


def matrix_of(translation: Any, rotation: Any) -> Matrix:
    """4x4 of a translation and a rotation, as transforms and poses of messages hold them.

    ValueError where the message states no pose.
    """
    T = matrix_of_pose(translation, rotation)
    if T is None:
        raise ValueError(f"no pose: {UNKNOWN}")
    return T


def matrix_of_pose(translation: Any, rotation: Any) -> Matrix | None:
    """4x4 of the fields of a transform or pose message; None where they state no pose."""
    position = (translation.x, translation.y, translation.z)
    return pose_of_quaternion(position, (rotation.x, rotation.y, rotation.z, rotation.w))


@dataclass
class _Link:
    """``T_parent_child`` over time; of a static one, a single value that always holds."""

    parent: str
    stamps: list[int] = field(default_factory=list)
    poses: list[Matrix] = field(default_factory=list)
    static: bool = False

    def add(self, stamp: int, T: Matrix, static: bool) -> None:
        if static:
            self.static, self.stamps, self.poses = True, [stamp], [T]
            return
        place = bisect_left(self.stamps, stamp)
        if place < len(self.stamps) and self.stamps[place] == stamp:
            self.poses[place] = T
        else:
            self.stamps.insert(place, stamp)
            self.poses.insert(place, T)

    def at(self, stamp: int, longest: int) -> Matrix | None:
        """Between its neighbours in time; None outside them, or where they are too far apart."""
        if self.static:
            return self.poses[0]
        after = bisect_left(self.stamps, stamp)
        if after < len(self.stamps) and self.stamps[after] == stamp:
            return self.poses[after]
        if after == 0 or after == len(self.stamps):
            return None
        begin, end = self.stamps[after - 1], self.stamps[after]
        if end - begin > longest:
            return None
        return _between(self.poses[after - 1], self.poses[after], (stamp - begin) / (end - begin))


def _between(first: Matrix, second: Matrix, share: float) -> Matrix:
    rotations = Rotation.from_matrix(np.stack([first[:3, :3], second[:3, :3]]))
    T = np.eye(4)
    T[:3, :3] = Slerp([0.0, 1.0], rotations)(share).as_matrix()
    T[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return T


class TransformTree:
    """Every frame has at most one parent, as in TF; leading slashes of ROS 1 do not count."""

    def __init__(self, longest_gap: int = 500_000_000) -> None:
        """``longest_gap`` in nanoseconds: between poses further apart nothing is made up."""
        self.longest_gap = longest_gap
        self._links: dict[str, _Link] = {}

    def add(self, parent: str, child: str, stamp: int, T: Matrix, static: bool = False) -> None:
        """``T_parent_child`` at ``stamp`` nanoseconds; a new parent makes a frame start anew."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        link = self._links.get(child)
        if link is None or link.parent != parent:
            link = self._links[child] = _Link(parent)
        link.add(stamp, T, static)

    def ancestors(self, frame: str) -> list[str]:
        """The frame itself, its parent, and so on up to the root."""
        chain = [frame.lstrip("/")]
        while chain[-1] in self._links and self._links[chain[-1]].parent not in chain:
            chain.append(self._links[chain[-1]].parent)
        return chain

    def lookup(self, ancestor: str, frame: str, stamp: int) -> Matrix | None:
        """``T_ancestor_frame`` at a time; None where the chain between them is not known then."""
        chain = self.ancestors(frame)
        ancestor = ancestor.lstrip("/")
        if ancestor not in chain:
            return None
        T = np.eye(4)
        for child in chain[: chain.index(ancestor)]:
            step = self._links[child].at(stamp, self.longest_gap)
            if step is None:
                return None
            T = step @ T
        return T
