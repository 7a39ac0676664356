"""Poses and speeds from the GPS/IMU records of KITTI raw."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.data.text_file import read_numbers

EARTH_RADIUS = 6378137.0  # metres, as the dataset's own development kit
LATITUDE, LONGITUDE, ALTITUDE, ROLL, PITCH, YAW = range(6)
FORWARD_SPEED = 8


class OxtsMotion(NamedTuple):
    """T_world_imu of each frame, the first known one the identity, and forward speeds in m/s.

    Records of zeros, and values that are not finite, are unknown: None.
    """

    imu_poses: list[NDArray[np.float64] | None]
    speeds: list[float | None]


def read_oxts(folder: Path, stems: list[str]) -> OxtsMotion | None:
    """The records of the frames ``stems``, None unless every frame has one."""
    files = [folder / f"{stem}.txt" for stem in stems]
    if not all(file.exists() for file in files):
        return None
    records = np.concatenate([read_numbers(file)[:1] for file in files])
    known = [bool(np.isfinite(r[: YAW + 1]).all() and r[: YAW + 1].any()) for r in records]
    if not any(known):
        return OxtsMotion([None] * len(records), [None] * len(records))
    first = records[known.index(True)]
    scale = np.cos(np.radians(first[LATITUDE]))
    T_first_world = np.linalg.inv(_mercator_pose(first, scale))
    return OxtsMotion(
        [
            T_first_world @ _mercator_pose(record, scale) if sure else None
            for record, sure in zip(records, known, strict=True)
        ],
        [
            float(record[FORWARD_SPEED]) if sure and np.isfinite(record[FORWARD_SPEED]) else None
            for record, sure in zip(records, known, strict=True)
        ],
    )


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
