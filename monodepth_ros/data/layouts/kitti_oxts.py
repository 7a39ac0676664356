"""Poses and speeds from the GPS/IMU records of KITTI raw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.data.text_file import read_numbers

EARTH_RADIUS = 6378137.0  # metres, as the dataset's own development kit
LATITUDE, LONGITUDE, ALTITUDE, ROLL, PITCH, YAW = range(6)
FORWARD_SPEED = 8


def read_oxts(
    folder: Path, stems: list[str]
) -> tuple[list[NDArray[np.float64] | None], list[float | None]] | None:
    """T_world_imu of the frames ``stems``, the first known the identity, and speeds ahead in m/s.

    Records of zeros, and values that are not finite, are unknown: None. None for all unless every
    frame has a record.
    """
    files = [folder / f"{stem}.txt" for stem in stems]
    if not all(file.exists() for file in files):
        return None
    records = np.concatenate([read_numbers(file)[:1] for file in files])
    known = [bool(np.isfinite(r[: YAW + 1]).all() and r[: YAW + 1].any()) for r in records]
    if not any(known):
        return [None] * len(records), [None] * len(records)
    first = records[known.index(True)]
    scale = np.cos(np.radians(first[LATITUDE]))
    T_first_world = np.linalg.inv(_mercator_pose(first, scale))
    judged = list(zip(records, known, strict=True))
    poses = [T_first_world @ _mercator_pose(r, scale) if sure else None for r, sure in judged]
    speeds = [(float(r[FORWARD_SPEED]), sure) for r, sure in judged]
    return poses, [v if sure and np.isfinite(v) else None for v, sure in speeds]


def _mercator_pose(record: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Mercator projection of the position, scaled to metres at the drive's first latitude."""
    pose = np.eye(4)
    angles = [record[YAW], record[PITCH], record[ROLL]]
    pose[:3, :3] = Rotation.from_euler("ZYX", angles).as_matrix()
    latitude, longitude = np.radians(record[LATITUDE]), np.radians(record[LONGITUDE])
    east = scale * EARTH_RADIUS * longitude
    north = scale * EARTH_RADIUS * np.log(np.tan(np.pi / 4 + latitude / 2))
    pose[:3, 3] = east, north, record[ALTITUDE]
    return pose
