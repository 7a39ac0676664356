"""Calibrations as ROS's camera_calibration writes them and camera_info_manager reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera


def read_calibration(path: Path) -> PinholeCamera:
    """The camera of a YAML file with ``image_width``, ``camera_matrix`` and so on."""
    try:
        content = yaml.safe_load(path.read_text())
        width, height = int(content["image_width"]), int(content["image_height"])
        K = np.array(content["camera_matrix"]["data"], np.float64).reshape(3, 3)
        D = tuple(float(d) for d in content["distortion_coefficients"]["data"])
        model = str(content["distortion_model"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read as a calibration: {error}") from None
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: not a calibration as camera_calibration writes it: {error!r}"
        ) from None
    return PinholeCamera(width, height, K, model, D).validate(str(path))
