"""What the user states of a capture that does not state it itself: its camera, its frame rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

Calibration = Literal["measured", "guessed"]
_FIELDS_OF_VIEW = (5.0, 175.0)  # degrees that a pinhole camera may have


@dataclass(frozen=True)
class CaptureSettings:
    """For recordings without intrinsics or stamps, such as plain images and videos.

    ``camera`` is a calibration. ``field_of_view``, horizontal and in degrees, is a guess, and
    whatever comes of it is marked as guessed. ``fps`` is the rate of frames without stamps.
    ``default_field_of_view`` is the guess of a program that only shows, where the user states none.
    """

    camera: PinholeCamera | None = None
    field_of_view: float | None = None
    fps: float | None = None
    default_field_of_view: float | None = None

    def __post_init__(self) -> None:
        low, high = _FIELDS_OF_VIEW
        if self.field_of_view is not None and not low <= self.field_of_view <= high:
            raise UserError(
                f"--field-of-view {self.field_of_view:g}: degrees between {low:g} and {high:g}"
                " are wanted"
            )
        if self.fps is not None and not 0 < self.fps < np.inf:
            raise UserError(f"--fps {self.fps:g}: a positive number of frames a second is wanted")


NOTHING_STATED = CaptureSettings()


def camera_of_field_of_view(height: int, width: int, degrees: float) -> PinholeCamera:
    """The camera of that horizontal field of view, with square pixels, centred, undistorted."""
    focal_length = width / 2 / np.tan(np.radians(degrees) / 2)
    return PinholeCamera.centred(height, width, focal_length)
