"""ScanNet scenes as its SensReader exports them.

::

    scene0000_00/color/0.jpg  depth/0.png  pose/0.txt
                /intrinsic/intrinsic_color.txt  intrinsic_depth.txt   (4x4)

Dai et al., CVPR 2017. Depth is uint16 in millimetres at a size and with intrinsics of its own;
it is brought to the colour image's pixels by the two intrinsics: both sensors are taken to share
their optical centre and axes, as the exported data does. Poses where tracking was lost are
-inf in the files and None here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from monodepth_ros.data.images.file import DepthImage, read_depth_png
from monodepth_ros.data.known_pose import Matrix
from monodepth_ros.data.layouts.depth_registration import DepthResampler
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.layouts.image_folder import frame_numbers, list_images
from monodepth_ros.data.text_file import read_matrix, read_pose
from monodepth_ros.geometry.camera import PinholeCamera

PERIOD_NS = 1_000_000_000 // 30


def is_scannet(path: Path) -> bool:
    """Whether ``path`` is one exported scene."""
    return (path / "color").is_dir() and (path / "intrinsic").is_dir()


def open_scannet(path: Path) -> FileSequence:
    """The one sequence in the folder."""
    image_files = list_images(path / "color")
    numbers = frame_numbers(image_files) or list(range(len(image_files)))
    height, width = first_readable_size(image_files)
    color_file = path / "intrinsic/intrinsic_color.txt"
    depth_file = path / "intrinsic/intrinsic_depth.txt"
    camera = PinholeCamera(width, height, _intrinsics(color_file)).validate(str(color_file))
    with_depth = (path / "depth").is_dir()
    K_depth = _intrinsics(depth_file) if with_depth else camera.K

    @cache
    def resampler(height: int, width: int) -> DepthResampler:
        return DepthResampler(PinholeCamera(width, height, K_depth), camera)

    def read_depth(file: Path) -> DepthImage:
        depth = read_depth_png(file, depth_scale=1000.0)
        return resampler(*depth.shape)(depth)

    return FileSequence(
        name=path.resolve().name,
        camera=camera,
        image_files=image_files,
        depth_files=[path / "depth" / f"{f.stem}.png" for f in image_files] if with_depth else None,
        read_depth=read_depth,
        poses=[read_pose(path / "pose" / f"{file.stem}.txt") for file in image_files]
        if (path / "pose").is_dir()
        else None,
        stamps_ns=[number * PERIOD_NS for number in numbers],
        numbers=numbers,
    )


def _intrinsics(path: Path) -> Matrix:
    return read_matrix(path, 4, 4)[:3, :3]
