"""Calibrations as ROS's camera_calibration writes them and camera_info_manager reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.yaml_file import read_mapping

T = TypeVar("T")


def read_calibration(path: Path) -> PinholeCamera:
    """The camera of a YAML file with ``image_width``, ``camera_matrix`` and so on."""
    content = read_mapping(path, "a calibration")

    def value(key: str, convert: Callable[[Any], T]) -> T:
        if key not in content:
            raise UserError(f"{path}: no {key}, which camera_calibration writes")
        try:
            return convert(content[key])
        except (KeyError, TypeError, ValueError, OverflowError):
            raise UserError(
                f"{path}: {key}: not as camera_calibration writes it: {content[key]!r:.80}"
            ) from None

    return PinholeCamera(
        value("image_width", int),
        value("image_height", int),
        value("camera_matrix", lambda K: np.array(K["data"], np.float64).reshape(3, 3)),
        value("distortion_model", str),
        value("distortion_coefficients", lambda D: tuple(float(d) for d in D["data"])),
    ).validate(str(path))
