"""Frames of recordings with poses and true depth, where the recording itself lacks one of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scan_motion import scan_poses

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.scale.recorded import drawn_points

_STEREO_BASELINE = 0.537  # metres, of KITTI's grey cameras
_SCAN_POINTS = 6000


@dataclass(frozen=True)
class Frame:
    """A rectified frame; ``pose`` is T_world_camera, ``depth`` HxW in metres."""

    rgb: NDArray[np.uint8]
    camera: PinholeCamera
    stamp: int
    pose: NDArray[np.float64] | None
    depth: NDArray[np.float32] | None


def frames_of(folder: Path, wanted: range, rate: float) -> Iterator[Frame]:
    """The wanted frames of a recording; ``rate`` in Hz where it has no stamps."""
    if not wanted:
        return
    sequence = rectified(open_sequence(str(folder))[0])
    wanted = range(wanted.start, min(wanted.stop, len(sequence)), wanted.step)
    poses: dict[int, NDArray[np.float64]] = {}
    if not sequence.states_poses:
        poses = dict(zip(wanted, _scan_poses(sequence, wanted), strict=True))
    for index in wanted:
        stamp = sequence.stamp_ns(index)
        depth = sequence.depth(index)
        if depth is None:
            depth = stereo_depth(folder, index, sequence)
        yield Frame(
            sequence.image(index),
            sequence.camera,
            round(index * 1e9 / rate) if stamp is None else stamp,
            poses.get(index, sequence.pose(index)),
            depth,
        )


def _scan_poses(sequence: Sequence, wanted: range) -> list[NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    scans = []
    for index in wanted:
        depth = sequence.depth(index)
        assert depth is not None, "a recording with neither poses nor scans"
        scans.append(drawn_points(depth, sequence.camera, _SCAN_POINTS, generator))
    return scan_poses(scans)


def stereo_depth(folder: Path, index: int, sequence: Sequence) -> NDArray[np.float32] | None:
    """Depth of a KITTI frame by its right image, where both views agree; None without one."""
    right = next(iter(sorted(folder.glob("image_r"))), None)
    left = next(iter(sorted(folder.glob("image_l"))), None)
    if right is None or left is None:
        return None
    pair = [
        np.array(Image.open(sorted(side.iterdir())[index]).convert("L")) for side in (left, right)
    ]
    matcher = cv2.StereoSGBM_create(
        0, 128, 5, P1=200, P2=800, disp12MaxDiff=1, uniquenessRatio=10,
        speckleWindowSize=100, speckleRange=1, mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )  # fmt: skip
    disparity = matcher.compute(*pair).astype(np.float32) / 16
    depth = np.float32(sequence.camera.K[0, 0] * _STEREO_BASELINE) / np.where(
        disparity > 5, disparity, np.nan
    )
    return np.asarray(depth, np.float32)
