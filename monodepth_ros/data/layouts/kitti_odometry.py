"""KITTI odometry: rectified driving video with one camera matrix for the sequence.

Geiger et al., "Are we ready for autonomous driving?", CVPR 2012. Two layouts are known::

    sequences/06/{image_2/,calib.txt,times.txt}  poses/06.txt      the public one
    06/{image_l/,calib.txt,times.txt,poses.txt}                    one folder for all

``calib.txt`` holds the projection matrices P0 ... of the rectified cameras, row by row. Poses are
those of camera 0; they are brought to the camera that is opened.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.known_pose import Matrix, Poses
from monodepth_ros.data.layouts.file_sequence import (
    FileSequence,
    first_readable_size,
    stereo_partner,
)
from monodepth_ros.data.layouts.image_folder import frame_numbers, list_images
from monodepth_ros.data.sequence import StereoPartner
from monodepth_ros.data.text_file import read_named_numbers, read_numbers, read_poses
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import rigid

# Image folder -> number of its projection matrix, the colour camera first.
CAMERAS = {"image_2": 2, "image_0": 0, "image_l": 0, "image_3": 3, "image_1": 1, "image_r": 1}
_PAIRS = [("image_2", "image_3"), ("image_0", "image_1"), ("image_l", "image_r")]
PARTNERS = dict(_PAIRS) | {right: left for left, right in _PAIRS}


def is_kitti_odometry(path: Path) -> bool:
    """Whether ``path`` is one sequence, or the folder that holds ``sequences/``."""
    return bool(_sequence_folders(path))


def open_kitti_odometry(path: Path, camera: str | None = None) -> list[FileSequence]:
    """The sequence at ``path``, or all below its ``sequences/``.

    ``camera`` is the image folder, such as ``image_3``; by default the left colour camera, else the
    left grey one.
    """
    return [_open_sequence(folder, camera) for folder in _sequence_folders(path)]


def _is_sequence(path: Path) -> bool:
    return (path / "calib.txt").is_file() and any((path / name).is_dir() for name in CAMERAS)


def _sequence_folders(path: Path) -> list[Path]:
    below = sorted(folder for folder in path.glob("sequences/*") if _is_sequence(folder))
    return [path] if _is_sequence(path) else below


def _open_sequence(path: Path, camera: str | None) -> FileSequence:
    name = camera or next(name for name in CAMERAS if (path / name).is_dir())
    if name not in CAMERAS:
        raise UserError(f"camera {name!r} is not one of {', '.join(CAMERAS)}")
    image_files = list_images(path / name)
    projection = read_projections(path / "calib.txt")[CAMERAS[name]]
    height, width = first_readable_size(image_files)
    K = projection[:, :3]
    numbers = frame_numbers(image_files) or list(range(len(image_files)))
    return FileSequence(
        name=path.resolve().name,
        camera=PinholeCamera(width, height, K).validate(f"{path / 'calib.txt'} P{CAMERAS[name]}"),
        image_files=image_files,
        poses=_poses(path, projection, numbers),
        stamps_ns=_stamps(path / "times.txt", numbers),
        numbers=numbers,
        open_partner=partial(_open_partner, path, name, image_files, (width, height)),
    )


def _open_partner(
    path: Path, name: str, image_files: list[Path], size: tuple[int, int]
) -> StereoPartner | None:
    projections, other = read_projections(path / "calib.txt"), PARTNERS[name]
    if CAMERAS[other] not in projections:
        return None
    ours, theirs = projections[CAMERAS[name]], projections[CAMERAS[other]]
    return stereo_partner(
        f"{path.resolve().name}_{other}",
        PinholeCamera(*size, theirs[:, :3]),
        [path / other / file.name for file in image_files],
        camera_offset(theirs) @ np.linalg.inv(camera_offset(ours)),
    )


def read_projections(path: Path) -> dict[int, NDArray[np.float64]]:
    """Projection matrices 3x4 by camera number, from ``P2: ...`` lines or bare rows P0, P1, ..."""
    named = read_named_numbers(path)
    rows = {int(key[1:]): row for key, row in named.items() if key in ("P0", "P1", "P2", "P3")}
    if not rows:
        rows = dict(enumerate(read_numbers(path, columns=12)))
    for number, row in rows.items():
        if row.size != 12:
            raise UserError(f"{path}: P{number} has {row.size} numbers, expected 12")
    return {number: row.reshape(3, 4) for number, row in rows.items()}


def camera_offset(projection: NDArray[np.float64]) -> NDArray[np.float64]:
    """T_camera_camera0, 4x4, of a rectified camera: P = K [I | t]."""
    return rigid(np.eye(3), np.linalg.solve(projection[:, :3], projection[:, 3]))


def _poses(path: Path, projection: Matrix, numbers: list[int]) -> Poses | None:
    beside = path / "poses.txt"
    public = path.parent.parent / "poses" / f"{path.resolve().name}.txt"
    file = beside if beside.exists() else public
    if not file.exists():
        return None
    T_camera0_camera = np.linalg.inv(camera_offset(projection))
    poses = read_poses(file)
    if numbers[-1] >= len(poses):
        raise UserError(f"{file}: {len(poses)} poses, but there is an image {numbers[-1]}")
    stated = (poses[number] for number in numbers)
    return [None if pose is None else pose @ T_camera0_camera for pose in stated]


def _stamps(path: Path, numbers: list[int]) -> list[int | None] | None:
    if not path.exists():
        return None
    times = read_numbers(path, columns=1)[:, 0]
    if numbers[-1] >= len(times):
        raise UserError(f"{path}: {len(times)} times, but there is an image {numbers[-1]}")
    return [round(times[number] * 1e9) for number in numbers]
