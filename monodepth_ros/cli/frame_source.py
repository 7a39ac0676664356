"""Frames of images and videos that a user names: files, folders, globs."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monodepth_ros.data.image_file import read_rgb
from monodepth_ros.data.video_file import VIDEO_SUFFIXES, read_video
from monodepth_ros.errors import UserError

Rgb = NDArray[np.uint8]

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}

_EXIF_ORIENTATION = 0x0112


def find_inputs(patterns: list[str]) -> list[Path]:
    """The image and video files behind files, folders (not below them) and globs, each once."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern).expanduser()
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and _is_media(p))
            if not inside:
                raise UserError(f"{pattern}: the folder holds no images and no videos")
            found.update(dict.fromkeys(inside))
        elif path.is_file():
            found[path] = None
        else:
            matches = sorted(Path(p) for p in glob.glob(str(path)) if _is_media(Path(p)))
            if not matches:
                raise UserError(f"{pattern}: no such file, folder or matching image")
            found.update(dict.fromkeys(matches))
    return list(found)


def frame_count(path: Path, every: int = 1) -> int:
    """How many frames :func:`read_frames` will give; for a video, what its header claims."""
    if not _is_video(path):
        return 1
    capture = cv2.VideoCapture(str(path))
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    capture.release()
    return max(1, -(-count // every))


def read_frames(path: Path, every: int = 1) -> Iterator[tuple[str, Rgb]]:
    """(name, uint8 RGB) of an image, or of every ``every``-th frame of a video.

    Images are turned upright as their EXIF orientation says. Raises
    :class:`~monodepth_ros.data.image_file.CorruptFrame`.
    """
    if _is_video(path):
        for index, rgb in read_video(path, every):
            yield f"{path.stem}_{index:06d}", rgb
    else:
        yield path.stem, _upright(path, read_rgb(path))


def _upright(path: Path, rgb: Rgb) -> Rgb:
    """Turn an image by its EXIF orientation: 1 is upright, 5 to 8 lie on their side."""
    with Image.open(path) as image:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    if orientation in (5, 6, 7, 8):
        rgb = rgb.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES


def _is_media(path: Path) -> bool:
    return _is_video(path) or path.suffix.lower() in IMAGE_SUFFIXES
