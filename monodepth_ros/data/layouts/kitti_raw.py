"""KITTI raw: drives below their date, with Velodyne truth and the Eigen splits.

::

    2011_09_26/calib_cam_to_cam.txt  calib_velo_to_cam.txt  calib_imu_to_velo.txt
    2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png   also image_03, .jpg
                                         /image_02/timestamps.txt
                                         /velodyne_points/data/0000000000.bin
                                         /oxts/data/0000000000.txt
                                         /proj_depth/groundtruth/image_02/0000000005.png

Geiger et al., "Vision meets robotics: the KITTI dataset", IJRR 2013; improved truth (16-bit PNG,
depth * 256): Uhrig et al., "Sparsity invariant CNNs", 3DV 2017.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.data.images.file import DepthImage, read_depth_png
from monodepth_ros.data.known_pose import Poses
from monodepth_ros.data.layouts.file_sequence import FileSequence, stereo_partner
from monodepth_ros.data.layouts.image_folder import frame_numbers, list_images
from monodepth_ros.data.layouts.kitti_odometry import camera_offset
from monodepth_ros.data.layouts.velodyne import project_scan, read_scan
from monodepth_ros.data.sequence import StereoPartner
from monodepth_ros.data.text_file import read_named_matrix, read_numbers
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import Matrix, rigid

Truth = Literal["velodyne", "improved"]
SIDES = {"l": "image_02", "r": "image_03"}
# Of the records of GPS and IMU:
EARTH_RADIUS = 6378137.0  # metres, as the dataset's own development kit
LATITUDE, LONGITUDE, ALTITUDE, ROLL, PITCH, YAW = range(6)
FORWARD_SPEED = 8


def is_kitti_raw(path: Path) -> bool:
    """Whether ``path`` is one drive, a date, or the folder of the dates."""
    return bool(_drives(path))


def open_kitti_raw(path: Path, truth: Truth = "velodyne") -> list[FileSequence]:
    """Every drive at or below ``path``, of the left colour camera."""
    return [open_drive(drive, truth) for drive in _drives(path)]


def open_split(path: Path, split: Path, truth: Truth = "velodyne") -> list[FileSequence]:
    """The drives named in a split file, with the frames of the split as their targets.

    The other frames of the drives serve as neighbours. Sequences are in the order in which the
    file first names their drive and side, targets in temporal order.
    """
    frames: dict[tuple[str, str], set[int]] = defaultdict(set)
    for folder, frame, side in read_split(split):
        frames[folder, side].add(frame)
    sequences = []
    for (folder, side), wanted in frames.items():
        if not (path / folder).is_dir():
            raise UserError(f"{split}: no folder {path / folder}")
        sequence = open_drive(path / folder, truth, side)
        place = {number: index for index, number in enumerate(sequence.numbers or [])}
        missing = wanted - place.keys()
        if missing:
            raise UserError(f"{split}: {path / folder} has no frame {min(missing)} of side {side}")
        sequence.target_frames = sorted(place[number] for number in wanted)
        sequences.append(sequence)
    return sequences


def read_split(path: Path) -> list[tuple[str, int, str]]:
    """Folder, frame and side of each line of a split file, as Eigen's and Zhou's are written."""
    if not path.is_file():
        raise UserError(f"{path}: no such split file")
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3 or not parts[1].isdigit() or parts[2] not in SIDES:
            raise UserError(f"{path} line {number}: expected 'folder frame l|r', got {line!r}")
        lines.append((parts[0], int(parts[1]), parts[2]))
    if not lines:
        raise UserError(f"{path}: the split is empty")
    return lines


def open_drive(path: Path, truth: Truth = "velodyne", side: str = "l") -> FileSequence:
    """One drive, its truth in the pixels of the camera that is opened (Eigen's is the left)."""
    folder = path / SIDES[side]
    image_files = list_images(folder / "data")
    numbers = frame_numbers(image_files)
    if numbers is None:
        raise UserError(f"{folder / 'data'}: image names must be ascending numbers")
    calibration = Calibration(path.resolve().parent, side)
    depth_folder, suffix = path / "velodyne_points/data", ".bin"
    read_depth: Callable[[Path], DepthImage] = calibration.scanned_depth
    if truth == "improved":
        depth_folder, suffix = path / "proj_depth/groundtruth" / SIDES[side], ".png"
        read_depth = partial(read_depth_png, depth_scale=256.0)
    depth_files = [depth_folder / f"{image.stem}{suffix}" for image in image_files]
    motion = _read_oxts(path / "oxts/data", [image.stem for image in image_files])
    return FileSequence(
        name=path.resolve().name + ("" if side == "l" else f"_{side}"),
        camera=calibration.camera,
        image_files=image_files,
        # Some drives' first scans do not exist, and improved truth starts at the fifth frame.
        depth_files=[file if file.exists() else None for file in depth_files],
        read_depth=read_depth,
        poses=calibration.camera_poses(motion[0]) if motion else None,
        speeds=motion[1] if motion else None,
        stamps_ns=_stamps(folder / "timestamps.txt", numbers),
        numbers=numbers,
        open_partner=partial(_open_partner, path, side, calibration, image_files),
    )


def _open_partner(
    path: Path, side: str, calibration: Calibration, image_files: list[Path]
) -> StereoPartner | None:
    other = next(name for name in SIDES if name != side)
    folder = path / SIDES[other] / "data"
    if not folder.is_dir():
        return None
    beside = Calibration(path.resolve().parent, other)
    return stereo_partner(
        f"{path.resolve().name}_{other}",
        beside.camera,
        [folder / file.name for file in image_files],
        beside.offset @ np.linalg.inv(calibration.offset),
    )


class Calibration:
    """The calibration of one date and one colour camera, all matrices as KITTI names them.

    ``offset`` is T_camera_camera0, 4x4, of the rectified cameras.
    """

    def __init__(self, date: Path, side: str) -> None:
        self._date = date
        self._file = date / "calib_cam_to_cam.txt"
        number = SIDES[side].removeprefix("image_")
        width, height = read_named_matrix(self._file, f"S_rect_{number}", 2)
        self._projection = read_named_matrix(self._file, f"P_rect_{number}", 3, 4)
        camera = PinholeCamera(int(width), int(height), self._projection[:, :3])
        self.camera = camera.validate(f"{self._file} P_rect_{number}")
        self.offset = camera_offset(self._projection)

    def scanned_depth(self, file: Path) -> DepthImage:
        """Depth of a Velodyne scan in the pixels of the camera."""
        size = (self.camera.height, self.camera.width)
        return project_scan(read_scan(file), self._velodyne_projection, size)

    @cached_property
    def _velodyne_projection(self) -> NDArray[np.float64]:
        """3x4: P_rect R_rect_00 T_camera_velodyne."""
        velodyne = self._transform("calib_velo_to_cam.txt")
        return self._projection @ self._rectification() @ velodyne

    def camera_poses(self, imu_poses: Poses) -> Poses | None:
        """T_world_camera from T_world_imu, None without a calibration of the IMU."""
        file = "calib_imu_to_velo.txt"
        if not (self._date / file).exists():
            return None
        velodyne = self._transform("calib_velo_to_cam.txt")
        T_camera_imu = self.offset @ self._rectification() @ velodyne @ self._transform(file)
        T_imu_camera = np.linalg.inv(T_camera_imu)
        return [None if pose is None else pose @ T_imu_camera for pose in imu_poses]

    def _rectification(self) -> Matrix:
        return rigid(read_named_matrix(self._file, "R_rect_00", 3, 3))

    def _transform(self, name: str) -> Matrix:
        file = self._date / name
        return rigid(read_named_matrix(file, "R", 3, 3), read_named_matrix(file, "T", 3))


def _drives(path: Path) -> list[Path]:
    if (path / SIDES["l"] / "data").is_dir():
        return [path]
    found = [*path.glob("*_sync/image_02/data"), *path.glob("*/*_sync/image_02/data")]
    return sorted(data.parent.parent for data in found)


def _stamps(path: Path, numbers: list[int]) -> list[int | None] | None:
    if not path.exists():
        return None
    lines = path.read_text().split("\n")
    return [_parse_stamp(lines[n].strip()) if n < len(lines) else None for n in numbers]


def _parse_stamp(text: str) -> int | None:
    """Nanoseconds since 1970 of ``2011-09-26 13:02:25.951199337``, taken as UTC."""
    if not text:
        return None
    whole, _, fraction = text.partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def _read_oxts(folder: Path, stems: list[str]) -> tuple[Poses, list[float | None]] | None:
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
    R = Rotation.from_euler("ZYX", [record[YAW], record[PITCH], record[ROLL]]).as_matrix()
    latitude, longitude = np.radians(record[LATITUDE]), np.radians(record[LONGITUDE])
    east = scale * EARTH_RADIUS * longitude
    north = scale * EARTH_RADIUS * np.log(np.tan(np.pi / 4 + latitude / 2))
    return rigid(R, (east, north, record[ALTITUDE]))
