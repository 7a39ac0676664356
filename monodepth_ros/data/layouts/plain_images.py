"""A folder of image files and nothing else that a layout needs: a person's own frames."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.cameras.intrinsics import exif_hint, find_camera
from monodepth_ros.data.images.file import CorruptFrame, image_size
from monodepth_ros.data.layouts.file_sequence import FileSequence
from monodepth_ros.data.layouts.image_folder import frame_numbers, list_images
from monodepth_ros.data.layouts.video_sequence import videos_in
from monodepth_ros.errors import UserError


def open_plain_images(path: Path, capture: CaptureSettings) -> FileSequence:
    """The images of a folder in temporal order, with K.txt beside them or a guessed camera.

    All must be of one size: UserError with what there is.
    """
    videos = videos_in(path)
    if videos:
        raise UserError(
            f"{path}: holds images and {videos[0].name}: name the video itself, or move it out"
        )
    image_files = list_images(path)
    size, example = common_size(path, image_files)
    camera, calibration = find_camera(path, path / "K.txt", size, capture, exif_hint(example, size))
    return FileSequence(
        name=path.resolve().name,
        camera=camera,
        calibration=calibration,
        image_files=image_files,
        numbers=frame_numbers(image_files),
    )


def common_size(path: Path, image_files: list[Path]) -> tuple[tuple[int, int], Path]:
    """(height, width) of all images that can be read, and the first of them."""
    sizes: dict[Path, tuple[int, int]] = {}
    for file in image_files:
        try:
            sizes[file] = image_size(file)
        except CorruptFrame:
            continue  # it is counted where it is read
    if not sizes:
        raise UserError(f"{path}: no readable image among {len(image_files)} files")
    counts = Counter(sizes.values())
    (size, most), *others = counts.most_common()
    if others:
        odd = next(file for file, found in sizes.items() if found != size)
        height, width = sizes[odd]
        raise UserError(
            f"{path}: images of {len(counts)} sizes: {most} are {size[1]}x{size[0]}, but"
            f" {odd.name} is {width}x{height} ({sum(counts.values()) - most} others in all);"
            " a recording has one size: move the others out"
        )
    return size, next(iter(sizes))
