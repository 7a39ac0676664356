"""What to take of a recording when it is extracted or replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monodepth_ros.data.known_pose import Matrix
from monodepth_ros.geometry.camera import PinholeCamera


@dataclass(frozen=True)
class ExtractionRequest:
    """What to take of a bag; topics that are None are found by what they hold.

    ``tolerance`` is seconds between an image and its depth. ``motion`` is how far the image must
    have moved since the last frame taken, as a share of its width: 0 takes every frame. ``camera``
    is for images without a usable camera_info, and so is ``field_of_view`` (degrees), a guess;
    ``speed`` is by default the odometry of ``poses``;
    ``fps`` is for recordings without stamps, which a bag never is;
    images are ``rectified`` by their topic's name where it is None;
    ``mounting`` is ``T_base_camera`` as in :class:`CameraTruth`.
    """

    images: tuple[str, ...] | None = None
    camera_info: str | None = None
    camera: PinholeCamera | None = None
    rectified: bool | None = None
    field_of_view: float | None = None
    fps: float | None = None
    depth: str | None = None
    poses: str | None = None
    speed: str | None = None
    frame: str | None = None
    mounting: Matrix | None = None
    tolerance: float = 0.02
    motion: float = 0.0
    every: int = 1
    image_format: Literal["jpg", "png"] = "jpg"
    licence: str = ""
