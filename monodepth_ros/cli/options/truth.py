"""Options that say how true depth and poses of a bag belong to its images."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.rigid_motion import base_from_camera

Tolerance = Annotated[
    float, typer.Option(min=0, help="Maximum time between an image and its depth, in seconds.")
]
Mounting = Annotated[
    str | None,
    typer.Option(
        help="Pose of the camera on the robot whose poses these are, if TF does not have it:"
        " 'x y z roll pitch yaw', metres and degrees."
    ),
]


def T_base_camera(mounting: str | None) -> NDArray[np.float64] | None:
    """4x4 of the optical frame, by the option; UserError unless it is six numbers."""
    if mounting is None:
        return None
    try:
        values = np.array([float(value) for value in mounting.replace(",", " ").split()])
    except ValueError:
        values = np.empty(0)
    if len(values) != 6 or not np.isfinite(values).all():
        raise UserError(f"--mounting {mounting!r}: six numbers are wanted, 'x y z roll pitch yaw'")
    return base_from_camera(values[:3], np.radians(values[3:]))
