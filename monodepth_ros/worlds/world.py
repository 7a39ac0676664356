"""What a synthetic world is: a scene, a camera and the way it moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera


@dataclass
class World:
    """A static scene and a camera path through it.

    The world frame has z up, metres. Poses are T_world_camera of the optical frame
    (x right, y down, z forward).
    """

    name: str
    scene: dict[str, Any]  # Mitsuba scene dictionary without sensor and integrator
    poses: np.ndarray  # (N, 4, 4) float64, T_world_camera
    speed: np.ndarray  # (N,) metres per second
    camera: PinholeCamera
    fps: float
    max_bounces: int  # light bounces after the first hit; 0 is emitted light only
    glossy: bool  # has mirroring surfaces, so that reflective masks are rendered
    exposure: float | None = None  # radiance to image brightness; None meters the sequence once
    matte: bool = False  # only matte materials and unbaked light: `matte_light` renders it

    def __post_init__(self) -> None:
        count = len(self.poses)
        if self.poses.shape != (count, 4, 4) or self.speed.shape != (count,):
            raise ValueError(
                f"poses {self.poses.shape} and speed {self.speed.shape} do not belong together"
            )
