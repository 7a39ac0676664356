"""7-Scenes: ``frame-000000.color.png``, ``.depth.png`` and ``.pose.txt`` in one folder.

Glocker et al., "Real-time RGB-D camera relocalization", ISMAR 2013. Depth is uint16 in millimetres
with 0 and 65535 invalid, the pose is camera-to-world. The dataset states one camera for all scenes;
a ``camera-intrinsics.txt`` in the folder takes its place. Colour and depth are not registered.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.image_file import DepthImage, read_depth_png
from monodepth_ros.data.image_folder import list_images
from monodepth_ros.data.text_file import finite_pose, read_matrix
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix

PERIOD_NS = 1_000_000_000 // 30  # the Kinect's nominal rate; the dataset has no stamps
KINECT = (585.0, 585.0, 320.0, 240.0)


def is_seven_scenes(path: Path) -> bool:
    """Whether ``path`` holds the frames of one 7-Scenes sequence."""
    return next(path.glob("frame-*.color.*"), None) is not None


def open_seven_scenes(path: Path) -> list[FileSequence]:
    """The one sequence in the folder."""
    image_files = list_images(path, "frame-*.color.*")
    stems = [file.name.split(".")[0] for file in image_files]
    numbers = [_number(file) for file in image_files]
    height, width = first_readable_size(image_files)
    camera_file = path / "camera-intrinsics.txt"
    K = read_matrix(camera_file, 3, 3) if camera_file.exists() else intrinsics_matrix(KINECT)
    poses = [_read_pose(path / f"{stem}.pose.txt") for stem in stems]
    has_depth = next(path.glob("frame-*.depth.png"), None) is not None
    return [
        FileSequence(
            name=path.resolve().name,
            camera=PinholeCamera(width, height, K).validate(str(camera_file)),
            image_files=image_files,
            depth_files=[path / f"{stem}.depth.png" for stem in stems] if has_depth else None,
            read_depth=_read_depth,
            poses=poses,
            stamps_ns=[number * PERIOD_NS for number in numbers],
            numbers=numbers,
        )
    ]


def _read_depth(path: Path) -> DepthImage:
    return read_depth_png(path, depth_scale=1000.0, invalid=(0, 65535))


def _read_pose(path: Path) -> NDArray[np.float64] | None:
    return finite_pose(read_matrix(path, 4, 4)) if path.exists() else None


def _number(path: Path) -> int:
    text = path.name.removeprefix("frame-").split(".")[0]
    if not text.isdigit():
        raise UserError(f"{path}: expected a name like frame-000000.color.png")
    return int(text)
