"""Opening recordings of any known layout by their path."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import NamedTuple

from monodepth_ros.data.bag_file import is_bag
from monodepth_ros.data.bag_sequence import open_bag
from monodepth_ros.data.cityscapes import is_cityscapes, open_cityscapes
from monodepth_ros.data.euroc import is_euroc, open_euroc
from monodepth_ros.data.image_folder import is_image_folder, open_image_folder
from monodepth_ros.data.kitti_odometry import is_kitti_odometry, open_kitti_odometry
from monodepth_ros.data.kitti_raw import Truth, is_kitti_raw, open_kitti_raw, open_split
from monodepth_ros.data.nyu import is_nyu, open_nyu
from monodepth_ros.data.scannet import is_scannet, open_scannet
from monodepth_ros.data.sequence import Sequence, SlicedSequence, unknown_poses
from monodepth_ros.data.sequence_folder import FolderSequence, is_sequence_folder
from monodepth_ros.data.seven_scenes import is_seven_scenes, open_seven_scenes
from monodepth_ros.data.tum import is_tum, open_tum
from monodepth_ros.errors import UserError


class Layout(NamedTuple):
    """How to tell a layout, how to open it, and how to open a part that it defines by name."""

    name: str
    recognise: Callable[[Path], bool]
    open: Callable[[Path], ListOf[Sequence]]
    open_split: Callable[[Path, str], ListOf[Sequence]] | None = None


def _layouts(kitti_truth: Truth) -> tuple[Layout, ...]:
    return (
        Layout("sequence folder", is_sequence_folder, lambda path: [FolderSequence(path)]),
        Layout("7-Scenes", is_seven_scenes, open_seven_scenes, open_seven_scenes),
        Layout("TUM RGB-D", is_tum, open_tum),
        Layout(
            "KITTI raw",
            is_kitti_raw,
            lambda path: open_kitti_raw(path, kitti_truth),
            lambda path, split: open_split(path, Path(split), kitti_truth),
        ),
        Layout("KITTI odometry", is_kitti_odometry, open_kitti_odometry),
        Layout("EuRoC", is_euroc, open_euroc),
        Layout("NYU Depth v2", is_nyu, open_nyu, open_nyu),
        Layout("ScanNet", is_scannet, open_scannet),
        Layout("Cityscapes", is_cityscapes, open_cityscapes, open_cityscapes),
        Layout("images/ and K.txt", is_image_folder, open_image_folder),
    )


SLICE = re.compile(r"\d*:\d*(:\d*)?")


def open_sequence(path: Path | str, kitti_truth: Truth = "velodyne") -> list[Sequence]:
    """The recordings at ``path``: one of the known layouts, a bag, or a folder of such.

    ``PATH@start:stop:step`` takes these frames of each recording, ``PATH@SPLIT`` the part that the
    layout defines: the file of an Eigen split for KITTI raw, ``train`` or ``test`` of NYU,
    ``train``, ``val`` or ``test`` of Cityscapes, ``unregistered`` of 7-Scenes; and
    ``PATH@SPLIT@start:stop:step`` a slice of that. ``kitti_truth`` is the depth that KITTI raw is
    opened with. Raises a UserError when there is nothing.
    """
    sequences = _open(str(path), kitti_truth)
    for note in filter(None, map(unknown_poses, sequences)):
        print(note, file=sys.stderr)
    return sequences


def _open(text: str, kitti_truth: Truth) -> list[Sequence]:
    layouts = _layouts(kitti_truth)
    folder, at, part = text.rpartition("@")
    if not at or Path(text).exists():
        return _open_folder(Path(text), layouts)
    if SLICE.fullmatch(part):
        return _sliced(_open(folder, kitti_truth), part, text)
    return _open_split(Path(folder), part, layouts)


def _open_folder(path: Path, layouts: tuple[Layout, ...]) -> list[Sequence]:
    if path.is_file() and is_bag(path):
        return open_bag(path)
    layout = _layout(path, layouts)
    if layout is not None:
        return list(layout.open(path))
    if is_bag(path) and (path / "metadata.yaml").is_file():
        return open_bag(path)
    found: list[Sequence] = []
    for child in sorted(path.iterdir()):
        layout = _layout(child, layouts) if child.is_dir() else None
        if layout is not None:
            found.extend(layout.open(child))
        elif is_bag(child):
            found.extend(open_bag(child))
    if not found:
        names = ", ".join([*(layout.name for layout in layouts), "bags"])
        state = "no known layout" if any(path.iterdir()) else "the folder is empty"
        raise UserError(f"{path}: {state}; known are {names}")
    return found


def _sliced(wholes: list[Sequence], text: str, path: str) -> list[Sequence]:
    frames = slice(*(int(number) if number else None for number in text.split(":")))
    if frames.step == 0:
        raise UserError(f"{path}: the step of the slice must be at least 1")
    parts = [SlicedSequence(whole, frames) for whole in wholes]
    if any(len(part) == 0 for part in parts):
        raise UserError(f"{path}: the slice holds no frame")
    return list(parts)


def _open_split(path: Path, split: str, layouts: tuple[Layout, ...]) -> list[Sequence]:
    layout = _layout(path, layouts)
    if layout is None or layout.open_split is None:
        what = layout.name if layout else "this folder"
        raise UserError(f"{path}@{split}: {what} has no splits; use @start:stop:step")
    return list(layout.open_split(path, split))


def _layout(path: Path, layouts: tuple[Layout, ...]) -> Layout | None:
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    return next((layout for layout in layouts if layout.recognise(path)), None)
