"""Options that say what recordings hold, and what they do not state themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.rigid_motion import base_from_camera

Camera = Annotated[
    Path | None,
    typer.Option(help="ROS calibration file, for images and videos without intrinsics."),
]
CameraInfo = Annotated[
    str | None, typer.Option(help="Topic of camera_info; default: in the namespace of the images.")
]
Rectified = Annotated[
    bool | None,
    typer.Option(
        "--rectified/--not-rectified",
        help="The images of a bag have no distortion, and P of camera_info is their camera;"
        " default: for topics named image_rect*.",
    ),
]
FieldOfView = Annotated[
    float | None,
    typer.Option(
        help="Horizontal field of view in degrees, without intrinsics: a guess; every output"
        " says so."
    ),
]
Fps = Annotated[
    float | None, typer.Option(help="Frames per second of a video or of images without stamps.")
]
Depth = Annotated[
    str | None,
    typer.Option(help="Topic of true depth; of another camera with its camera_info and TF."),
]
Poses = Annotated[
    str | None, typer.Option(help="Topic of true poses: odometry, poses, transforms, or TF.")
]
Frame = Annotated[
    str | None, typer.Option(help="Fixed frame of poses from TF; default: the root of TF.")
]
Mounting = Annotated[
    str | None,
    typer.Option(
        help="Pose of the camera on the robot whose poses these are, if TF does not have it:"
        " 'x y z roll pitch yaw', metres and degrees."
    ),
]
Tolerance = Annotated[
    float, typer.Option(min=0, help="Maximum time between an image and its depth, in seconds.")
]
Motion = Annotated[
    float,
    typer.Option(
        min=0, help="Minimum image motion between frames of a bag, as a fraction of the width."
    ),
]
Every = Annotated[int, typer.Option(min=1, help="Use every N-th image.")]


def capture_settings(
    camera: Path | None, field_of_view: float | None, fps: float | None = None
) -> CaptureSettings:
    """What the options say; UserError for a value that cannot be."""
    return CaptureSettings(None if camera is None else read_calibration(camera), field_of_view, fps)


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
