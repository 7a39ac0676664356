"""Opening recordings of any known layout by their path."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from pathlib import Path

from monodepth_ros.data.image_folder import is_image_folder, open_image_folder
from monodepth_ros.data.kitti_odometry import is_kitti_odometry, open_kitti_odometry
from monodepth_ros.data.sequence import Sequence, SlicedSequence
from monodepth_ros.data.sequence_folder import FolderSequence, is_sequence_folder
from monodepth_ros.data.seven_scenes import is_seven_scenes, open_seven_scenes
from monodepth_ros.errors import UserError

Recogniser = Callable[[Path], bool]
Opener = Callable[[Path], ListOf[Sequence]]

LAYOUTS: dict[str, tuple[Recogniser, Opener]] = {
    "sequence folder": (is_sequence_folder, lambda path: [FolderSequence(path)]),
    "7-Scenes": (is_seven_scenes, open_seven_scenes),
    "KITTI odometry": (is_kitti_odometry, open_kitti_odometry),
    "images/ and K.txt": (is_image_folder, open_image_folder),
}

SLICE = re.compile(r"(?P<path>.+)@(?P<slice>\d*:\d*(:\d*)?)")


def open_sequence(path: Path | str) -> list[Sequence]:
    """The recordings at ``path``: one of the known layouts, or a folder of such folders.

    ``PATH@start:stop:step`` takes a part of each. Raises a UserError when there is none.
    """
    text = str(path)
    match = SLICE.fullmatch(text)
    if match is None:
        return _open_folder(Path(text))
    frames = _parse_slice(match["slice"], text)
    parts = [SlicedSequence(whole, frames) for whole in _open_folder(Path(match["path"]))]
    for part in parts:
        if len(part) == 0:
            raise UserError(f"{text}: the slice holds no frame")
    return list(parts)


def _open_folder(path: Path) -> list[Sequence]:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    found = _open_known_layout(path)
    if not found:
        for folder in sorted(child for child in path.iterdir() if child.is_dir()):
            found.extend(_open_known_layout(folder))
    if not found:
        known = ", ".join(LAYOUTS)
        state = "no known layout" if any(path.iterdir()) else "the folder is empty"
        raise UserError(f"{path}: {state}; known are {known}")
    return found


def _open_known_layout(path: Path) -> list[Sequence]:
    for is_layout, open_layout in LAYOUTS.values():
        if is_layout(path):
            return list(open_layout(path))
    return []


def _parse_slice(text: str, whole: str) -> slice:
    frames = slice(*(int(part) if part else None for part in text.split(":")))
    if frames.step == 0:
        raise UserError(f"{whole}: the step of the slice must be at least 1")
    return frames
