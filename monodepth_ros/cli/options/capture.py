"""Options for recordings that state neither their camera nor their frame rate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.capture_settings import CaptureSettings

Camera = Annotated[
    Path | None,
    typer.Option(help="Calibration file of ROS, for images and videos without intrinsics."),
]
Rectified = Annotated[
    bool | None,
    typer.Option(
        "--rectified/--not-rectified",
        help="Of a bag: the images have no distortion, P of camera_info is their camera. By default"
        " those of a topic called image_rect*.",
    ),
]
FieldOfView = Annotated[
    float | None,
    typer.Option(
        help="Horizontal, degrees, where there are no intrinsics: a guess, marked as one in"
        " everything written."
    ),
]
Fps = Annotated[
    float | None, typer.Option(help="Frames a second, of a video or of images without stamps.")
]


def capture_settings(
    camera: Path | None, field_of_view: float | None, fps: float | None = None
) -> CaptureSettings:
    """What the options say; UserError for a value that cannot be."""
    return CaptureSettings(None if camera is None else read_calibration(camera), field_of_view, fps)
