"""A folder with ``images/``, ``K.txt``, and optionally ``depth/`` and ``poses.txt``.

``depth/<name>.png`` is uint16 in millimetres, 0 invalid, registered to ``images/<name>.jpg|png``.
Row k of ``poses.txt`` is T_world_camera (12 or 16 numbers) of the k-th image in sorted order.
``K.txt`` is a 3x3 matrix in pixels of the images; without it the user states the camera.
"""

from __future__ import annotations

from pathlib import Path

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.cameras.intrinsics import find_camera
from monodepth_ros.data.images.file import read_depth_png
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.natural_order import natural_order
from monodepth_ros.data.text_file import read_poses
from monodepth_ros.errors import UserError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}


def is_image_folder(path: Path) -> bool:
    """Whether ``path`` has this layout."""
    images = path / "images"
    return images.is_dir() and ((path / "K.txt").is_file() or has_images(images))


def has_images(folder: Path) -> bool:
    """Whether the folder itself holds image files."""
    return any(_is_image(file) for file in folder.iterdir())


def _is_image(file: Path) -> bool:
    """By its name; hidden files are none, such as the ``._a.jpg`` that macOS puts beside images."""
    hidden = file.name.startswith(".")
    return file.suffix.lower() in IMAGE_SUFFIXES and not hidden and file.is_file()


def open_image_folder(path: Path, capture: CaptureSettings) -> FileSequence:
    """The one sequence in the folder."""
    image_files = list_images(path / "images")
    size = first_readable_size(image_files)
    camera, calibration = find_camera(path, path / "K.txt", size, capture)
    poses_file = path / "poses.txt"
    poses = read_poses(poses_file) if poses_file.exists() else None
    if poses is not None and len(poses) != len(image_files):
        raise UserError(f"{poses_file}: {len(poses)} poses for {len(image_files)} images")
    with_depth = (path / "depth").is_dir()
    return FileSequence(
        name=path.resolve().name,
        camera=camera,
        calibration=calibration,
        image_files=image_files,
        depth_files=[path / "depth" / f"{f.stem}.png" for f in image_files] if with_depth else None,
        read_depth=lambda file: read_depth_png(file, depth_scale=1000.0),
        poses=poses,
        numbers=frame_numbers(image_files),
    )


def list_images(folder: Path, pattern: str = "*") -> list[Path]:
    """Image files in temporal order: by the numbers in their names, and by name."""
    files = [file for file in folder.glob(pattern) if _is_image(file)]
    if not files:
        raise UserError(f"{folder}: no image (.jpg, .png) in the folder")
    return sorted(files, key=lambda file: natural_order(file.stem))


def frame_numbers(files: list[Path]) -> list[int] | None:
    """The number at the end of each file's name, None unless all have one and they ascend."""
    digits = [file.stem[len(file.stem.rstrip("0123456789")) :] for file in files]
    if not all(digits):
        return None
    numbers = [int(text) for text in digits]
    ascending = all(a < b for a, b in zip(numbers, numbers[1:], strict=False))
    return numbers if ascending else None
