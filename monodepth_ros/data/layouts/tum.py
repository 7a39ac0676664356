"""TUM RGB-D: ``rgb.txt``, ``depth.txt`` and ``groundtruth.txt`` list stamped files and poses.

Sturm et al., "A benchmark for the evaluation of RGB-D SLAM systems", IROS 2012. The three run on
clocks of their own, so each image takes the depth map and the pose nearest in time. Depth is
uint16, 5000 to the metre, registered to the colour image. The dataset's calibration goes by the
``freiburg1|2|3`` in the folder's name; a ``K.txt`` in the folder takes its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import read_depth_png
from monodepth_ros.data.known_pose import Poses, pose_of_quaternion
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.text_file import read_lines, read_matrix, read_numbers
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix

T = TypeVar("T")
MAX_DIFFERENCE_NS = 20_000_000  # of the stamps of an image and what belongs to it

# fx fy cx cy, then k1 k2 p1 p2 k3, of the colour cameras as the dataset's page states them.
CAMERAS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "1": ((517.3, 516.5, 318.6, 255.3), (0.2624, -0.9531, -0.0054, 0.0026, 1.1633)),
    "2": ((520.9, 521.0, 325.1, 249.7), (0.2312, -0.7849, -0.0033, -0.0001, 0.9172)),
    "3": ((535.4, 539.2, 320.1, 247.6), ()),
}
ROS_DEFAULT: tuple[tuple[float, ...], tuple[float, ...]] = ((525.0, 525.0, 319.5, 239.5), ())


def is_tum(path: Path) -> bool:
    """Whether ``path`` is one TUM RGB-D sequence."""
    return (path / "rgb.txt").is_file()


def open_tum(path: Path) -> FileSequence:
    """The one sequence in the folder."""
    stamps, image_files = _read_list(path / "rgb.txt")
    height, width = first_readable_size(image_files)
    return FileSequence(
        name=path.resolve().name,
        camera=_camera(path, width, height),
        image_files=image_files,
        depth_files=_depth_files(path / "depth.txt", stamps),
        read_depth=lambda file: read_depth_png(file, depth_scale=5000.0),
        poses=_poses(path / "groundtruth.txt", stamps),
        stamps_ns=[int(stamp) for stamp in stamps],
    )


def _camera(path: Path, width: int, height: int) -> PinholeCamera:
    file = path / "K.txt"
    if file.exists():
        return PinholeCamera(width, height, read_matrix(file, 3, 3)).validate(str(file))
    known = re.search(r"freiburg([123])", path.resolve().name)
    intrinsics, distortion = CAMERAS[known[1]] if known else ROS_DEFAULT
    model = "plumb_bob" if distortion else "none"
    camera = PinholeCamera(width, height, intrinsics_matrix(intrinsics), model, distortion)
    return camera.validate(f"{path}: the dataset's camera")


def _read_list(path: Path) -> tuple[NDArray[np.int64], list[Path]]:
    """Stamps in nanoseconds, ascending, and the files listed with them."""
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        parts = line.split("#")[0].split()
        if not parts:
            continue
        try:
            entries.append((round(float(parts[0]) * 1e9), path.parent / parts[1]))
        except (ValueError, IndexError):
            raise UserError(f"{path} line {number}: expected 'stamp file', got {line!r}") from None
    if not entries:
        raise UserError(f"{path}: the list is empty")
    entries.sort()
    return np.array([stamp for stamp, _ in entries]), [file for _, file in entries]


def _depth_files(path: Path, stamps: NDArray[np.int64]) -> list[Path | None] | None:
    if not path.exists():
        return None
    depth_stamps, files = _read_list(path)
    return nearest_in_time(files, depth_stamps, stamps)


def _poses(path: Path, stamps: NDArray[np.int64]) -> Poses | None:
    if not path.exists():
        return None
    rows = read_numbers(path, columns=8)
    rows = rows[np.isfinite(rows[:, 0])]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    pose_stamps = np.round(rows[:, 0] * 1e9).astype(np.int64)
    poses = [pose_of_quaternion(row[1:4], row[4:]) for row in rows]
    return nearest_in_time(poses, pose_stamps, stamps)


def nearest_in_time(
    values: list[T],
    times: NDArray[np.int64],
    stamps: NDArray[np.int64],
    limit: int = MAX_DIFFERENCE_NS,
) -> list[T | None]:
    """For each of ``stamps`` the value whose time (ascending) is nearest, if close."""
    after = np.searchsorted(times, stamps).clip(1, max(1, len(times) - 1))
    before = after - 1
    after = after.clip(max=len(times) - 1)
    nearest = np.where(stamps - times[before] <= times[after] - stamps, before, after)
    close = np.abs(times[nearest] - stamps) <= limit
    return [values[i] if near else None for i, near in zip(nearest, close, strict=True)]
