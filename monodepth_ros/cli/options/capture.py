"""Options for recordings that state neither their camera nor their frame rate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.capture_settings import CaptureSettings

Camera = Annotated[
    Path | None,
    typer.Option(help="ROS calibration file, for images and videos without intrinsics."),
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


def capture_settings(
    camera: Path | None, field_of_view: float | None, fps: float | None = None
) -> CaptureSettings:
    """What the options say; UserError for a value that cannot be."""
    return CaptureSettings(None if camera is None else read_calibration(camera), field_of_view, fps)
