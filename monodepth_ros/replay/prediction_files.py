"""Depth of images and videos, written into files."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.cameras.input_camera import InputCamera
from monodepth_ros.errors import printable
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.visualisation.picture_file import write_png
from monodepth_ros.visualisation.preview import side_by_side

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class WrittenPrediction:
    """What was written for one frame. Depths are in metres when ``scale`` is ``metric``."""

    input: str
    depth: str
    preview: str
    width: int
    height: int
    scale: str
    depth_min: float | None
    depth_median: float | None
    depth_max: float | None
    invalid_pixels: int
    seconds: float


@dataclass
class PredictionWriter:
    """Predicts frame by frame; writes ``NAME_depth.npy`` and ``NAME_preview.png`` of each.

    Each frame has a name of its own in ``folder``.
    """

    estimator: DepthEstimator
    folder: Path
    camera: InputCamera
    _names: set[str] = field(default_factory=set)

    def write(self, source: Path, name: str, rgb: Rgb) -> WrittenPrediction:
        """Predict and write the frame ``name`` of ``source``.

        CorruptFrame where it is not of the camera.
        """
        height, width = rgb.shape[:2]
        rgb, camera = self.camera.seen(rgb, source)
        start = time.perf_counter()
        prediction = self.estimator.estimate(rgb, camera)
        seconds = time.perf_counter() - start
        stem = self._own_name(name)
        depth_path = self.folder / f"{stem}_depth.npy"
        preview_path = self.folder / f"{stem}_preview.png"
        with atomic_path(depth_path) as path:
            np.save(path, prediction.depth)
        write_png(preview_path, side_by_side(rgb, prediction.disparity))
        valid = prediction.depth[np.isfinite(prediction.depth)]
        return WrittenPrediction(
            input=printable(source),
            depth=printable(depth_path),
            preview=printable(preview_path),
            width=width,
            height=height,
            scale=prediction.scale,
            depth_min=float(valid.min()) if valid.size else None,
            depth_median=float(np.median(valid)) if valid.size else None,
            depth_max=float(valid.max()) if valid.size else None,
            invalid_pixels=prediction.depth.size - valid.size,
            seconds=round(seconds, 6),
        )

    def _own_name(self, name: str) -> str:
        """``a/left.png`` and ``b/left.png`` must not overwrite each other's outputs."""
        variants = chain([name], (f"{name}-{number}" for number in count(2)))
        own = next(candidate for candidate in variants if candidate not in self._names)
        self._names.add(own)
        return own
