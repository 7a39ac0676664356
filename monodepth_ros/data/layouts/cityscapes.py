"""Cityscapes: 30-frame snippets of driving video, truth by stereo for the 20th frame of each.

::

    leftImg8bit_sequence/train/aachen/aachen_000000_000019_leftImg8bit.png
    camera/train/aachen/aachen_000000_000019_camera.json
    disparity/train/aachen/aachen_000000_000019_disparity.png

Cordts et al., CVPR 2016. Disparity is uint16: 0 is unknown, else d = (p - 1) / 256 pixels, and
depth is baseline * fx / d. One camera file covers its snippet.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from monodepth_ros.data.images.file import CorruptFrame, DepthImage, read_array
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

IMAGES = "leftImg8bit_sequence"
PERIOD_NS = 1_000_000_000 // 17
NAME = re.compile(r"(?P<city>.+)_(?P<drive>\d{6})_(?P<frame>\d{6})_\w+")


def is_cityscapes(path: Path) -> bool:
    """Whether ``path`` is the folder that holds ``leftImg8bit_sequence``."""
    return (path / IMAGES).is_dir()


def open_cityscapes(path: Path, split: str | None = None) -> list[FileSequence]:
    """Every snippet, or those of one split (``train``, ``val``, ``test``)."""
    folders = sorted((path / IMAGES).glob(f"{split or '*'}/*/"))
    sequences = [
        _open_snippet(path, folder, snippet) for folder in folders for snippet in _snippets(folder)
    ]
    if not sequences:
        raise UserError(f"{path / IMAGES}: no images in {split or 'any split'}")
    return sequences


def _snippets(folder: Path) -> list[list[tuple[int, Path]]]:
    """Runs of consecutive frames, by number and image.

    Some cities number the snippets, others run on within one.
    """
    drives: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for image in sorted(folder.glob("*_leftImg8bit.*")):
        name = NAME.fullmatch(image.stem)
        if name is None:
            raise UserError(f"{image}: expected a name like aachen_000000_000019_leftImg8bit.png")
        drives[name["drive"]].append((int(name["frame"]), image))
    runs: list[list[tuple[int, Path]]] = []
    for frames in drives.values():
        for index, frame in enumerate(frames):
            if index == 0 or frame[0] != frames[index - 1][0] + 1:
                runs.append([])
            runs[-1].append(frame)
    return runs


def _open_snippet(path: Path, folder: Path, snippet: list[tuple[int, Path]]) -> FileSequence:
    place = Path(folder.parent.name) / folder.name
    files = [image for _, image in snippet]
    stems = [image.stem.removesuffix("_leftImg8bit") for image in files]
    cameras = [path / "camera" / place / f"{stem}_camera.json" for stem in stems]
    camera_file = next((file for file in cameras if file.exists()), None)
    if camera_file is None:
        raise UserError(f"{files[0]}: no camera file of its snippet in {path / 'camera' / place}")
    intrinsics, baseline = read_stereo(camera_file)
    height, width = first_readable_size(files)
    camera = PinholeCamera.from_focal_length(width, height, *intrinsics)
    disparities = [path / "disparity" / place / f"{stem}_disparity.png" for stem in stems]
    return FileSequence(
        name=stems[0],
        camera=camera.validate(str(camera_file)),
        image_files=files,
        depth_files=[file if file.exists() else None for file in disparities],
        read_depth=lambda file: depth_from_disparity(file, baseline * intrinsics[0]),
        stamps_ns=[number * PERIOD_NS for number, _ in snippet],
        numbers=[number for number, _ in snippet],
    )


def read_stereo(path: Path) -> tuple[list[float], float]:
    """``fx, fy, cx, cy`` in pixels, and the baseline in metres, from a camera file."""
    try:
        content = json.loads(path.read_text())
        intrinsic = content["intrinsic"]
        intrinsics = [float(intrinsic[key]) for key in ("fx", "fy", "u0", "v0")]
        return intrinsics, float(content["extrinsic"]["baseline"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a Cityscapes camera file ({error!r})") from error


def depth_from_disparity(path: Path, product: float) -> DepthImage:
    """Depth in metres, NaN where the disparity is unknown or 0. ``product``: baseline times fx."""
    stored = read_array(path)
    if stored.ndim != 2:
        raise CorruptFrame(path, f"an image of shape {stored.shape} is not a disparity map")
    disparity = (stored.astype(np.float32) - 1.0) / 256.0
    with np.errstate(divide="ignore"):
        depth = product / disparity
    return np.where(disparity > 0, depth, np.nan).astype(np.float32)
