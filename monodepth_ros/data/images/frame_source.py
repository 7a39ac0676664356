"""Frames of images and videos that a user names: files, folders, globs."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.file import RgbImage, bits_of_files, read_rgb
from monodepth_ros.data.images.video import frame_count as video_frame_count
from monodepth_ros.data.images.video import is_video, read_video
from monodepth_ros.data.layouts.image_folder import IMAGE_SUFFIXES
from monodepth_ros.data.natural_order import natural_order
from monodepth_ros.errors import UserError


def find_inputs(patterns: list[str], every: int = 1) -> list[Path]:
    """The image and video files behind files, folders (not below them) and globs, each once.

    Of the images of a folder or a glob every ``every``-th is taken.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            inside = _sorted(p for p in path.iterdir() if p.is_file())
            if not inside:
                raise UserError(f"{pattern}: the folder holds no images and no videos")
            found.update(dict.fromkeys(_every(inside, every)))
        elif path.is_file():
            found[path] = None
        else:
            matches = _sorted(map(Path, glob.glob(str(path))))
            if not matches:
                raise UserError(f"{pattern}: no such file, folder or matching image")
            found.update(dict.fromkeys(_every(matches, every)))
    return list(found)


def _sorted(paths: Iterable[Path]) -> list[Path]:
    media = (p for p in paths if is_video(p) or p.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(media, key=lambda path: (path.parent, natural_order(path.name)))


def _every(files: list[Path], every: int) -> list[Path]:
    """All videos, of which frames are taken later, and every ``every``-th image."""
    images = [file for file in files if not is_video(file)][::every]
    return [file for file in files if is_video(file) or file in images]


def frame_count(path: Path, every: int = 1) -> int:
    """How many frames :func:`read_frames` will give; for a video, what its header claims."""
    return max(1, -(-video_frame_count(path) // every)) if is_video(path) else 1


def read_frames(
    path: Path, every: int = 1, bits: BitDepth | None = None
) -> Iterator[tuple[str, RgbImage]]:
    """(name, uint8 RGB, upright) of an image, or of every ``every``-th frame of a video.

    ``bits`` are those in use of an image of 16 bits, as :func:`bit_depths` gives them. Raises
    :class:`~monodepth_ros.data.images.file.CorruptFrame`.
    """
    if is_video(path):
        for index, rgb in read_video(path, every):
            yield f"{path.stem}_{index:06d}", rgb
    else:
        yield path.stem, read_rgb(path, bits)


def bit_depths(files: list[Path]) -> dict[Path, BitDepth]:
    """Of every image: one for all whose names differ in numbers alone, as frames of a recording."""
    series: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        if not is_video(file):
            series.setdefault((file.parent, re.sub(r"\d+", "#", file.name)), []).append(file)
    found = ((images, bits_of_files(str(images[0]), images)) for images in series.values())
    return {file: bits for images, bits in found for file in images}
