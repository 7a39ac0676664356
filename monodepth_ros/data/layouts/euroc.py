"""EuRoC MAV recordings: distorted grey images with their stamps and calibration.

::

    mav0/cam0/data.csv  sensor.yaml  data/1403715273262142976.png
    mav0/state_groundtruth_estimate0/data.csv     optional

Burri et al., "The EuRoC micro aerial vehicle datasets", IJRR 2016. Poses are those of the body and
are brought to the camera by its ``T_BS``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.known_pose import Poses, pose_of_quaternion
from monodepth_ros.data.layouts.file_sequence import FileSequence, stereo_partner
from monodepth_ros.data.layouts.tum import nearest_in_time
from monodepth_ros.data.sequence import StereoPartner
from monodepth_ros.data.text_file import read_lines, read_numbers
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix
from monodepth_ros.yaml_file import parse_mapping

MAX_POSE_DIFFERENCE_NS = 5_000_000
POSE_COLUMNS = 8  # stamp, position, quaternion w x y z; velocities and biases follow


def is_euroc(path: Path) -> bool:
    """Whether ``path`` is one recording, the folder that holds ``mav0``."""
    return (path / "mav0/cam0/data").is_dir()


def open_euroc(path: Path) -> FileSequence:
    """The recording of the first camera; listed images that are not in the folder are left out."""
    folder = path / "mav0/cam0"
    image_files = sorted(folder.glob("data/*.png"), key=lambda file: int(file.stem))
    if not image_files:
        raise UserError(f"{folder / 'data'}: no image in the folder")
    stamps = np.array([int(file.stem) for file in image_files], dtype=np.int64)
    calibration = _read_calibration(folder / "sensor.yaml")
    return FileSequence(
        name=path.resolve().name,
        camera=_camera(calibration, folder / "sensor.yaml"),
        image_files=image_files,
        poses=_poses(path / "mav0/state_groundtruth_estimate0/data.csv", stamps, calibration),
        stamps_ns=[int(stamp) for stamp in stamps],
        open_partner=partial(_open_partner, path, image_files, calibration),
    )


def _open_partner(
    path: Path, image_files: list[Path], calibration: dict[str, Any]
) -> StereoPartner | None:
    """The other camera, which is triggered with the first."""
    other = path / "mav0/cam1"
    if not (other / "sensor.yaml").is_file():
        return None
    beside = _read_calibration(other / "sensor.yaml")
    T_partner_body = np.linalg.inv(_T_body_camera(beside, other / "sensor.yaml"))
    return stereo_partner(
        f"{path.resolve().name}_{other.name}",
        _camera(beside, other / "sensor.yaml"),
        [other / "data" / file.name for file in image_files],
        T_partner_body @ _T_body_camera(calibration, path / "mav0/cam0/sensor.yaml"),
    )


def _read_calibration(path: Path) -> dict[str, Any]:
    # OpenCV's %YAML:1.0 is not a directive that YAML knows.
    text = "\n".join(line for line in read_lines(path) if not line.startswith("%"))
    return parse_mapping(text, str(path), "a sensor's description")


def _camera(calibration: dict[str, Any], path: Path) -> PinholeCamera:
    try:
        width, height = calibration["resolution"]
        model = str(calibration["distortion_model"])
        coefficients = tuple(calibration["distortion_coefficients"])
        K = intrinsics_matrix(calibration["intrinsics"])
        return PinholeCamera(int(width), int(height), K, model, coefficients).validate(str(path))
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{path}: not a camera's sensor description ({error!r})") from error


def _T_body_camera(calibration: dict[str, Any], path: Path) -> NDArray[np.float64]:
    try:
        return np.array(calibration["T_BS"]["data"], dtype=np.float64).reshape(4, 4)
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{path}: sensor.yaml has no T_BS of 4x4 numbers ({error!r})") from error


def _poses(path: Path, stamps: NDArray[np.int64], calibration: dict[str, Any]) -> Poses | None:
    if not path.exists():
        return None
    rows = read_numbers(path)
    if rows.shape[1] < POSE_COLUMNS:
        raise UserError(f"{path}: {rows.shape[1]} numbers a row, expected at least {POSE_COLUMNS}")
    T_body_camera = _T_body_camera(calibration, path)
    rows = rows[np.isfinite(rows[:, 0])]
    bodies = [pose_of_quaternion(row[1:4], row[[5, 6, 7, 4]]) for row in rows]
    poses = [None if body is None else body @ T_body_camera for body in bodies]
    return nearest_in_time(poses, rows[:, 0].astype(np.int64), stamps, MAX_POSE_DIFFERENCE_NS)
