"""Frames of a bag or of a recording as a node would get them: rectified, with truth beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bag_extraction import BagExtraction
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.data.sequence import CorruptFrame, Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

_SECOND = 1_000_000_000
_ASSUMED_RATE = 10  # Hz, of a recording without stamps


@dataclass(frozen=True)
class RecordedFrame:
    """uint8 HxWx3 RGB as the rectified ``camera`` sees it, at ``stamp`` nanoseconds.

    ``depth`` is the truth in metres, HxW of its own size, NaN unknown; ``pose`` ``T_world_camera``.
    """

    stamp: int
    rgb: NDArray[np.uint8]
    camera: PinholeCamera
    depth: NDArray[np.float32] | None = None
    pose: NDArray[np.float64] | None = None


def frames_of_bag(
    extraction: BagExtraction, topic: str, left_out: Counter[str]
) -> Iterator[RecordedFrame | None]:
    """One camera's images; None for each that is left out, which is counted with the reason."""
    rectifier: Rectifier | None = None
    for rgb, stamp, depth in extraction.frames(topic, left_out):
        if rgb is None:
            yield None
            continue
        camera = extraction.camera(topic, rgb)
        if camera.distorted:
            rectifier = rectifier or Rectifier(camera)
            rgb = rectifier.image(rgb)
            fits = depth is not None and depth.shape == rgb.shape[:2]
            depth = rectifier.depth(depth) if fits and depth is not None else None
        pose = extraction.pose(topic, stamp)
        yield RecordedFrame(stamp, rgb, camera.undistorted(), depth, pose)


def frames_of_sequence(
    sequence: Sequence, left_out: Counter[str], every: int = 1
) -> Iterator[RecordedFrame | None]:
    """Every n-th of a recording's images; None for each that cannot be read."""
    rectifier = Rectifier(sequence.camera) if sequence.camera.distorted else None
    camera = sequence.camera.undistorted()
    for index in range(0, len(sequence), every):
        try:
            rgb, depth = sequence.image(index), sequence.depth(index)
        except (CorruptFrame, UserError) as error:
            left_out[str(error)] += 1
            yield None
            continue
        if rectifier is not None:
            rgb = rectifier.image(rgb)
            depth = None if depth is None else rectifier.depth(depth)
        stamp = sequence.stamp_ns(index)
        stamp = index * _SECOND // _ASSUMED_RATE if stamp is None else stamp
        yield RecordedFrame(stamp, rgb, camera, depth, sequence.pose(index))
