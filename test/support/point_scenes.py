"""Points in front of two views of one camera, with exact pixels: for the geometry of matches."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import project, rays
from monodepth_ros.geometry.rigid_motion import motion_of

Array = NDArray[np.float64]
CAMERA = PinholeCamera.centred(480, 640, 500.0)


def scene(kind: Literal["general", "plane"], count: int, seed: int = 0) -> Array:
    """Points ``(N, 3)`` in the first camera: 2 to 8 m away, or on a tilted plane 5 m away."""
    pixels = np.random.default_rng(seed).uniform([5, 5], [635, 475], (count, 2))
    directions = rays(CAMERA, pixels)
    if kind == "plane":
        depth = 5 / (1 + 0.3 * directions[:, 0] + 0.5 * directions[:, 1])
    else:
        depth = np.random.default_rng(seed + 1).uniform(2, 8, count)
    return directions * depth[:, None]


def random_motion(seed: int, length: float = 0.2, turn: float = 0.03) -> Array:
    """``T_first_second`` (4x4) of this length in metres, turning by about ``turn`` radians."""
    generator = np.random.default_rng(seed)
    direction = generator.normal(size=3)
    twist = [length * direction / np.linalg.norm(direction), turn * generator.normal(size=3)]
    return motion_of(np.concatenate(twist))


def seen_after(points: Array, T_first_second: Array) -> Array:
    """Pixels ``(N, 2)`` of points of the first camera in the second one."""
    return project(CAMERA, (points - T_first_second[:3, 3]) @ T_first_second[:3, :3])
