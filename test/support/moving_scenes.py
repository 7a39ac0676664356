"""Rendered places in which something moves by itself, as methods of motion see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rendered_planes import CAMERA, Rectangle, render

from monodepth_ros.inference.network_input import NetworkInput
from monodepth_ros.inference.odometry.geometry import GeometricMotion
from monodepth_ros.inference.odometry.view import GreyImage, View
from monodepth_ros.inference.points.tracks import PointTracker

Array = NDArray[np.float64]
ENGINE: Any = SimpleNamespace(
    card=SimpleNamespace(scale="relative", name="drawn", unknown_shift=False, resize=None),
    size=(240, 320),
)
_STEP = 50_000_000  # nanoseconds between two frames
_DEPTH_ERROR = 0.15  # of the logarithm of depth, alike in parts of the image as a network's is
_SEEN = 200.0  # metres; what is further away is predicted there


@dataclass
class Walk:
    """The poses that odometry found, and the share of tracked points that lay on the mover."""

    poses: Array
    tracked: list[float] = field(default_factory=list)


def followed(poses: Sequence[Array], places: Sequence[Sequence[Rectangle]]) -> Walk:
    """What geometry says of a camera at ``poses`` that sees the surfaces of each time."""
    method, found, former = GeometricMotion(ENGINE), Walk(np.eye(4)[None]), None
    tracker = PointTracker()  # of all that can be followed, whatever odometry keeps of it
    error = np.random.default_rng(0).normal(0, _DEPTH_ERROR, (4, 5))
    smooth = cv2.resize(error, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_CUBIC)
    for number, (pose, surfaces) in enumerate(zip(poses, places, strict=True)):
        grey, depth, mover = render(surfaces, pose)
        seen = NetworkInput(ENGINE, SimpleNamespace(size=(240, 320)), np.stack([grey] * 3, -1))
        seen.keep_inverse_depth((np.exp(smooth) / np.minimum(depth, _SEEN)).astype(np.float32))
        view = View(seen, number * _STEP, CAMERA, GreyImage(grey, CAMERA))
        if former is not None:
            step = method.motion(former, view).T_earlier_later
            found.poses = np.concatenate([found.poses, found.poses[-1:] @ step])
        x, y = tracker.add(grey).pixels.round().astype(int).T
        found.tracked.append(float(mover[y, x].mean()))
        former = view
    return found


def board(left: float, distance: float, width: float, height: float) -> Rectangle:
    """A board across z, whose left edge is at x = ``left`` and whose middle is at y = 0."""
    corner = np.array([left, -height / 2, distance])
    return Rectangle(
        corner, np.array([width, 0, 0]), np.array([0, height, 0]), 20, texel=0.008, mover=True
    )


def street(length: float = 150.0) -> list[Rectangle]:
    """A road along z, 1.5 m below the camera, between walls 6 m to its sides."""
    along, up = np.array([0, 0, length]), np.array([0, -8.0, 0])
    road = Rectangle(np.array([-6, 1.5, -5.0]), np.array([12.0, 0, 0]), along, 21, texel=0.05)
    walls = [
        Rectangle(np.array([x, 1.5, -5.0]), along, up, 22 + k, texel=0.05)
        for k, x in enumerate((-6.0, 6.0))
    ]
    return [road, *walls]
