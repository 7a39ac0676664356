"""7-Scenes: ``frame-000000.color.png``, ``.depth.png`` and ``.pose.txt`` in one folder.

Glocker et al., "Real-time RGB-D camera relocalization", ISMAR 2013. Depth is uint16 in millimetres
with 0 and 65535 invalid, the pose is camera-to-world.

The data set states one camera, the depth camera's, for which a ``camera-intrinsics.txt`` in the
folder may stand; its colour camera was not calibrated. Relocalisation works since DSAC* (Brachmann
& Rother, TPAMI 2021) take the Kinect's nominal focal length of 525 pixels and the relation between
the two cameras that LIRIS measured on another Kinect (projet.liris.cnrs.fr/voir/activities-dataset/
kinect-calibration.html), and so does this loader: depth and poses become the colour camera's.
Measured on red kitchen: the colour images fit each other best, by the true poses and depths, at 525
to 530 pixels. ``PATH@unregistered`` leaves all as it is stored, with the depth camera's intrinsics.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from monodepth_ros.data.images.file import DepthImage, read_depth_png
from monodepth_ros.data.layouts.depth_registration import register_depth
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.layouts.image_folder import list_images
from monodepth_ros.data.text_file import read_matrix, read_pose
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix

PERIOD_NS = 1_000_000_000 // 30  # the Kinect's nominal rate; the dataset has no stamps
DEPTH_CAMERA = (585.0, 585.0, 320.0, 240.0)
COLOUR_CAMERA = (525.0, 525.0, 320.0, 240.0)
T_COLOUR_DEPTH = np.array(
    [
        [0.99996518, 0.00267651, -0.00790410, -0.02555894],
        [-0.00274093, 0.99996303, -0.00815045, 0.00010110],
        [0.00788199, 0.00817183, 0.99993555, 0.00203183],
        [0, 0, 0, 1],
    ]
)


def is_seven_scenes(path: Path) -> bool:
    """Whether ``path`` holds the frames of one 7-Scenes sequence."""
    return next(path.glob("frame-*.color.*"), None) is not None


def open_seven_scenes(path: Path, split: str | None = None) -> FileSequence:
    """The one sequence in the folder; ``split`` may be ``unregistered``."""
    if split not in (None, "unregistered"):
        raise UserError(f"{path}@{split}: 7-Scenes has {path}@unregistered alone")
    image_files = list_images(path, "frame-*.color.*")
    stems = [file.name.split(".")[0] for file in image_files]
    numbers = [_number(file) for file in image_files]
    height, width = first_readable_size(image_files)
    camera_file = path / "camera-intrinsics.txt"
    K_depth = (
        read_matrix(camera_file, 3, 3) if camera_file.exists() else intrinsics_matrix(DEPTH_CAMERA)
    )
    camera = depth_camera = PinholeCamera(width, height, K_depth).validate(str(camera_file))
    poses = [read_pose(path / f"{stem}.pose.txt") for stem in stems]
    if split is None:
        camera = PinholeCamera(width, height, intrinsics_matrix(COLOUR_CAMERA))
        T_depth_colour = np.linalg.inv(T_COLOUR_DEPTH)
        poses = [None if pose is None else pose @ T_depth_colour for pose in poses]

    def read_depth(file: Path) -> DepthImage:
        depth = read_depth_png(file, depth_scale=1000.0, invalid=(0, 65535))
        return depth if split else register_depth(depth, depth_camera, camera, T_COLOUR_DEPTH)

    has_depth = next(path.glob("frame-*.depth.png"), None) is not None
    return FileSequence(
        name=path.resolve().name,
        camera=camera,
        image_files=image_files,
        depth_files=[path / f"{stem}.depth.png" for stem in stems] if has_depth else None,
        read_depth=read_depth,
        poses=poses if next(path.glob("frame-*.pose.txt"), None) else None,
        stamps_ns=[number * PERIOD_NS for number in numbers],
        numbers=numbers,
    )


def _number(path: Path) -> int:
    text = path.name.removeprefix("frame-").split(".")[0]
    if not text.isdigit():
        raise UserError(f"{path}: expected a name like frame-000000.color.png")
    return int(text)
