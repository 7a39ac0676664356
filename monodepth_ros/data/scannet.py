"""ScanNet scenes as its SensReader exports them.

::

    scene0000_00/color/0.jpg  depth/0.png  pose/0.txt
                /intrinsic/intrinsic_color.txt  intrinsic_depth.txt   (4x4)

Dai et al., CVPR 2017. Depth is uint16 in millimetres at a size and with intrinsics of its own;
it is brought to the colour image's pixels by the two intrinsics. Poses where tracking was lost are
-inf in the files and None here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.image_file import DepthImage, read_depth_png
from monodepth_ros.data.image_folder import frame_numbers, list_images
from monodepth_ros.data.text_file import read_matrix, read_pose
from monodepth_ros.geometry.camera import PinholeCamera

PERIOD_NS = 1_000_000_000 // 30


def is_scannet(path: Path) -> bool:
    """Whether ``path`` is one exported scene."""
    return (path / "color").is_dir() and (path / "intrinsic").is_dir()


def open_scannet(path: Path) -> list[FileSequence]:
    """The one sequence in the folder."""
    image_files = list_images(path / "color")
    numbers = frame_numbers(image_files) or list(range(len(image_files)))
    height, width = first_readable_size(image_files)
    color_file = path / "intrinsic/intrinsic_color.txt"
    depth_file = path / "intrinsic/intrinsic_depth.txt"
    camera = PinholeCamera(width, height, _intrinsics(color_file)).validate(str(color_file))
    with_depth = (path / "depth").is_dir()
    K_depth = _intrinsics(depth_file) if with_depth else camera.K

    def read_depth(file: Path) -> DepthImage:
        return align_depth(read_depth_png(file, depth_scale=1000.0), K_depth, camera)

    return [
        FileSequence(
            name=path.resolve().name,
            camera=camera,
            image_files=image_files,
            depth_files=[path / "depth" / f"{f.stem}.png" for f in image_files]
            if with_depth
            else None,
            read_depth=read_depth,
            poses=[read_pose(path / "pose" / f"{file.stem}.txt") for file in image_files]
            if (path / "pose").is_dir()
            else None,
            stamps_ns=[number * PERIOD_NS for number in numbers],
            numbers=numbers,
        )
    ]


def align_depth(
    depth: DepthImage, K_depth: NDArray[np.float64], camera: PinholeCamera
) -> DepthImage:
    """The depth along each pixel's ray of ``camera``, NaN outside the depth image.

    Both sensors are taken to share their optical centre and axes, as the exported data does.
    """
    height, width = depth.shape
    column = _same_ray(np.arange(camera.width), camera.K[0], K_depth[0], 0)
    row = _same_ray(np.arange(camera.height), camera.K[1], K_depth[1], 1)
    aligned = depth[row.clip(0, height - 1)[:, None], column.clip(0, width - 1)]
    outside_column = (column < 0) | (column >= width)
    outside_row = (row < 0) | (row >= height)
    aligned[outside_row[:, None] | outside_column] = np.nan
    return aligned


def _same_ray(
    pixels: NDArray[np.int64],
    of_camera: NDArray[np.float64],
    of_depth: NDArray[np.float64],
    axis: int,
) -> NDArray[np.int64]:
    slope = (pixels - of_camera[2]) / of_camera[axis]
    return np.rint(slope * of_depth[axis] + of_depth[2]).astype(np.int64)


def _intrinsics(path: Path) -> NDArray[np.float64]:
    return read_matrix(path, 4, 4)[:3, :3]
