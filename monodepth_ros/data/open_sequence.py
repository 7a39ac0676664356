"""Opening recordings of any known layout by their path."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from pathlib import Path
from typing import NamedTuple, ParamSpec

import numpy as np

from monodepth_ros.data.bags.file import is_bag
from monodepth_ros.data.bags.sequence import open_bag
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.cameras.intrinsics import warn_of_guess
from monodepth_ros.data.images.video import is_video
from monodepth_ros.data.layouts.cityscapes import is_cityscapes, open_cityscapes
from monodepth_ros.data.layouts.euroc import is_euroc, open_euroc
from monodepth_ros.data.layouts.image_folder import has_images, is_image_folder, open_image_folder
from monodepth_ros.data.layouts.kitti_odometry import is_kitti_odometry, open_kitti_odometry
from monodepth_ros.data.layouts.kitti_raw import Truth, is_kitti_raw, open_kitti_raw, open_split
from monodepth_ros.data.layouts.nyu import is_nyu, open_nyu
from monodepth_ros.data.layouts.plain_images import open_plain_images
from monodepth_ros.data.layouts.scannet import is_scannet, open_scannet
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, is_sequence_folder
from monodepth_ros.data.layouts.seven_scenes import is_seven_scenes, open_seven_scenes
from monodepth_ros.data.layouts.tum import is_tum, open_tum
from monodepth_ros.data.layouts.video_sequence import VideoSequence, videos_in
from monodepth_ros.data.notes import print_once
from monodepth_ros.data.sequence import Sequence, SlicedSequence, unknown_poses
from monodepth_ros.errors import UserError

P = ParamSpec("P")


class Layout(NamedTuple):
    """How to tell a layout, how to open it, and how to open a part that it defines by name."""

    name: str
    recognise: Callable[[Path], bool]
    open: Callable[[Path], ListOf[Sequence]]
    open_split: Callable[[Path, str], ListOf[Sequence]] | None = None


def _one(open_one: Callable[P, Sequence]) -> Callable[P, list[Sequence]]:
    return lambda *args, **kwargs: [open_one(*args, **kwargs)]


def _layouts(kitti_truth: Truth, capture: CaptureSettings) -> tuple[Layout, ...]:
    return (
        Layout("sequence folder", is_sequence_folder, _one(FolderSequence)),
        Layout("7-Scenes", is_seven_scenes, _one(open_seven_scenes), _one(open_seven_scenes)),
        Layout("TUM RGB-D", is_tum, _one(open_tum)),
        Layout(
            "KITTI raw",
            is_kitti_raw,
            lambda path: open_kitti_raw(path, kitti_truth),
            lambda path, split: open_split(path, Path(split), kitti_truth),
        ),
        Layout("KITTI odometry", is_kitti_odometry, open_kitti_odometry),
        Layout("EuRoC", is_euroc, _one(open_euroc)),
        Layout("NYU Depth v2", is_nyu, _one(open_nyu), _one(open_nyu)),
        Layout("ScanNet", is_scannet, _one(open_scannet)),
        Layout("Cityscapes", is_cityscapes, open_cityscapes, open_cityscapes),
        Layout(
            "images/ and K.txt", is_image_folder, lambda path: [open_image_folder(path, capture)]
        ),
    )


SLICE = re.compile(r"\d*:\d*(:\d*)?")


def open_sequence(
    path: Path | str,
    kitti_truth: Truth = "velodyne",
    capture: CaptureSettings = NOTHING_STATED,
) -> list[Sequence]:
    """The recordings at ``path``: a known layout, bag, video, plain images, or a folder of such.

    ``PATH@start:stop:step`` takes these frames of each recording, ``PATH@SPLIT`` the part that the
    layout defines: the file of an Eigen split for KITTI raw, ``train`` or ``test`` of NYU,
    ``train``, ``val`` or ``test`` of Cityscapes, ``unregistered`` of 7-Scenes; and
    ``PATH@SPLIT@start:stop:step`` a slice of that. ``BAG@/camera/image_raw`` is one camera of a
    bag. ``kitti_truth`` is the depth that KITTI raw is opened with, ``capture`` what the user
    states of recordings that do not state it. Raises a UserError when there is nothing.
    """
    sequences = _open(str(path), kitti_truth, capture)
    for note in filter(None, map(unknown_poses, sequences)):
        print_once(note)
    for sequence in sequences:
        _note_camera(sequence, capture)
    return sequences


def _note_camera(sequence: Sequence, capture: CaptureSettings) -> None:
    """Say that the camera is a guess, or that what the user states of it is not used."""
    if sequence.calibration == "guessed":
        warn_of_guess(sequence.name)
    elif capture.camera is not None and not np.array_equal(sequence.camera.K, capture.camera.K):
        print_once(f"{sequence.name}: has a camera of its own; --camera is not used")
    elif capture.field_of_view is not None and capture.camera is None:
        print_once(f"{sequence.name}: has intrinsics of its own; --field-of-view is not used")


def _open(text: str, kitti_truth: Truth, capture: CaptureSettings) -> list[Sequence]:
    layouts = _layouts(kitti_truth, capture)
    folder, at, part = text.rpartition("@")
    if not at or Path(text).exists():
        found = _open_path(Path(text), layouts, capture)
        _set_rate(found, capture.fps)
        return found
    if SLICE.fullmatch(part):
        return _sliced(_open(folder, kitti_truth, capture), part, text)
    if part.startswith("/") and (bags := bags_at(Path(folder))):
        return [sequence for bag in bags for sequence in open_bag(bag, capture, part)]
    return _open_split(Path(folder), part, layouts)


def _open_path(path: Path, layouts: tuple[Layout, ...], capture: CaptureSettings) -> list[Sequence]:
    if path.is_file():
        if is_bag(path):
            return open_bag(path, capture)
        if is_video(path):
            return [VideoSequence(path, capture)]
        raise UserError(f"{path}: neither a bag nor a video; of images name the folder")
    layout = _layout(path, layouts)
    if layout is not None:
        return list(layout.open(path))
    if is_bag(path) and (path / "metadata.yaml").is_file():
        return open_bag(path, capture)
    return _open_children(path, layouts, capture)


def bags_at(path: Path) -> list[Path]:
    """The bag that a path is, or those that lie in a folder; none where it is something else."""
    if path.is_file() or (path / "metadata.yaml").is_file():
        return [path] if is_bag(path) else []
    children = sorted(path.iterdir()) if path.is_dir() else []
    return [child for child in children if is_bag(child)]


def _open_children(
    path: Path, layouts: tuple[Layout, ...], capture: CaptureSettings
) -> list[Sequence]:
    """The recordings in a folder; where there are none, its own frames, or those of its folders."""
    found: list[Sequence] = []
    plain = [path] if has_images(path) else []
    children = sorted(path.iterdir())
    for child in children:
        layout = _layout(child, layouts) if child.is_dir() else None
        if layout is not None:
            found.extend(layout.open(child))
        elif is_bag(child):
            found.extend(open_bag(child, capture))
        elif child.is_dir() and has_images(child):
            plain.append(child)
    videos = videos_in(path)
    if found:
        for left in (*plain, *videos):
            print_once(f"left out, as it lies beside recordings: {left}")
    else:
        for folder in [path] if path in plain else plain:
            found.append(open_plain_images(folder, capture))
        found.extend(VideoSequence(video, capture) for video in videos)
    if not found:
        names = ", ".join([*(layout.name for layout in layouts), "bags", "videos", "plain images"])
        state = "no known layout" if children else "the folder is empty"
        raise UserError(f"{path}: {state}; known are {names}")
    return found


def _set_rate(sequences: list[Sequence], fps: float | None) -> None:
    """The rate of frames that have no stamps, where the user states it."""
    if fps is None:
        return
    for sequence in sequences:
        count = len(sequence)
        if any(sequence.stamp_ns(index) is not None for index in range(count)):
            if not isinstance(sequence, VideoSequence):
                print_once(f"{sequence.name}: has stamps of its own; --fps is not used")
            continue
        steps = np.diff([sequence.number(index) for index in range(count)])
        sequence.number_rate = fps * max(float(np.median(steps)) if count > 1 else 1.0, 1.0)


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
