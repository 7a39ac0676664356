"""The camera of plain images and videos: K.txt, a calibration that the user names, or a guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from monodepth_ros.data.cameras.capture_settings import (
    Calibration,
    CaptureSettings,
    camera_of_field_of_view,
)
from monodepth_ros.data.notes import print_once
from monodepth_ros.data.text_file import read_matrix
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

_OFF_CENTRE = 0.12  # of the size; a principal point further off is rare
_CENTRED = 0.05  # of the size; what a principal point of images turned by 90 degrees looks like
_EXIF_IFD, _FOCAL_LENGTH_35MM = 0x8769, 0xA405
_DIAGONAL_35MM = 43.27  # mm


def find_camera(
    source: Path, K_file: Path, size: tuple[int, int], capture: CaptureSettings, hint: str = ""
) -> tuple[PinholeCamera, Calibration]:
    """The camera of ``source``, whose images are ``size`` = (height, width), and how it is known.

    A calibration that the user names comes first, then ``K_file``, then a field of view, which is a
    guess. UserError where there is none of them, with what to do and the ``hint``.
    """
    height, width = size
    if capture.camera is not None:
        capture.camera.check_size(height, width, f"{source}: --camera")
        return capture.camera, "measured"
    if K_file.is_file():
        camera = PinholeCamera(width, height, read_matrix(K_file, 3, 3)).validate(str(K_file))
        _check_centre(camera, K_file, source)
        return camera, "measured"
    degrees = capture.field_of_view or capture.default_field_of_view
    if degrees is not None:
        return camera_of_field_of_view(height, width, degrees), "guessed"
    raise UserError(
        f"{source}: no intrinsics: write K.txt to {K_file} (3x3: fx 0 cx, 0 fy cy, 0 0 1, in pixels"
        f" of these {width}x{height} images), from camera_calibration or the camera_info of a bag;"
        " or --camera FILE with a calibration of ROS; or guess with --field-of-view DEGREES"
        f" (horizontal; everything written says that it is a guess){hint}"
    )


def warn_of_guess(source: str) -> None:
    """Say that the camera of ``source`` is a guess."""
    print_once(
        f"WARNING: {source}: its intrinsics are a guess; calibrate the camera for results to"
        " rely on",
    )


def _check_centre(camera: PinholeCamera, K_file: Path, source: Path) -> None:
    """UserError where the principal point is that of images held the other way."""
    size = np.array([camera.width, camera.height], np.float64)
    off = np.abs(camera.K[:2, 2] + 0.5 - size / 2)
    turned = np.abs(camera.K[:2, 2] + 0.5 - size[::-1] / 2)
    held_the_other_way = (turned <= _CENTRED * size).all() and (off > 2 * _CENTRED * size).any()
    if (off <= _OFF_CENTRE * size).all() and not held_the_other_way:
        return
    place = f"({camera.K[0, 2]:g}, {camera.K[1, 2]:g})"
    images = f"the {camera.width}x{camera.height} images of {source}"
    if held_the_other_way:
        raise UserError(
            f"{K_file}: the principal point {place} is that of images turned by 90 degrees, not of"
            f" {images}, which are upright: give K of the upright images"
        )
    print_once(
        f"WARNING: {K_file}: the principal point {place} is far from the middle of {images}:"
        " is K of images of another size?"
    )


def exif_hint(image: Path, size: tuple[int, int]) -> str:
    """What the EXIF data of a photograph suggest, as the end of a sentence; empty if nothing."""
    try:
        with Image.open(image) as opened:
            focal_length = float(opened.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_LENGTH_35MM, 0))
    except Exception:  # whatever is wrong with a hint
        return ""
    if not focal_length > 0:
        return ""
    height, width = size
    share = width / np.hypot(width, height)
    degrees = 2 * np.degrees(np.arctan(share * _DIAGONAL_35MM / 2 / focal_length))
    return f"; EXIF of {image.name} says about {degrees:.0f} degrees, which is only a hint"
