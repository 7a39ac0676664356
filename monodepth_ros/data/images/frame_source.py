"""Images and videos that a user names: files, folders, globs."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path

from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.file import bits_of_files
from monodepth_ros.data.images.video import is_video
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
    images = set([file for file in files if not is_video(file)][::every])
    return [file for file in files if is_video(file) or file in images]


def bit_depths(files: list[Path]) -> dict[Path, BitDepth]:
    """Of every image: one for all whose names differ in numbers alone, as frames of a recording.

    All of a recording of 16 bits are looked at, so that it does not matter in which order, and in
    which process, they are scaled.
    """
    series: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        if not is_video(file):
            series.setdefault((file.parent, re.sub(r"\d+", "#", file.name)), []).append(file)
    found: dict[Path, BitDepth] = {}
    for images in series.values():
        found |= dict.fromkeys(images, bits_of_files(str(images[0]), images, len(images)))
    return found
