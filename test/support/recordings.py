"""Small recordings that the tests of this folder write and read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.geometry.camera import PinholeCamera

WIDTH, HEIGHT = 64, 48
CAMERA = PinholeCamera.from_focal_length(WIDTH, HEIGHT, fx=60.0, fy=62.0, cx=31.5, cy=23.5)


def picture(seed: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A smooth random image, uint8 HxWx3."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.array(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


def save(pixels: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def sliding_poses(offsets: Iterable[float]) -> list[np.ndarray]:
    """Poses of a camera that moves along x, T_world_camera."""
    poses = []
    for offset in offsets:
        pose = np.eye(4)
        pose[0, 3] = offset
        poses.append(pose)
    return poses


def write_folder(
    path: Path,
    count: int = 8,
    stamps: list[int | None] | None = None,
    offsets: Iterable[float] | None = None,
    depth: bool = True,
    camera: PinholeCamera = CAMERA,
) -> FolderSequence:
    """A sequence folder of random pictures at a depth of 2 m."""
    poses = sliding_poses(offsets) if offsets is not None else [None] * count
    with SequenceWriter(path, camera, fps=10, image_format="png") as writer:
        for i in range(count):
            truth = np.full((HEIGHT, WIDTH), 2.0, np.float32) if depth else None
            stamp = stamps[i] if stamps else i * 100_000_000
            writer.add(picture(i), truth, poses[i], stamp_ns=stamp)
    return FolderSequence(path)
