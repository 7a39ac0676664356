"""Depth of images and videos, written into files while others are decoded and estimated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.images.input_parts import Frames, InputFrame
from monodepth_ros.errors import printable
from monodepth_ros.inference.depth_estimator import (
    DepthEstimator,
    DepthPrediction,
    DepthRequest,
)
from monodepth_ros.overlap import in_threads
from monodepth_ros.visualisation.picture_file import write_jpeg
from monodepth_ros.visualisation.preview import side_by_side


@dataclass(frozen=True)
class WrittenPrediction:
    """What was written for one frame. Depths are in metres when ``scale`` is ``metric``.

    ``seconds`` are those of the estimate, shared evenly among the frames of a batch. There is no
    ``stddev`` of a model that nobody has calibrated.
    """

    input: str
    depth: str
    preview: str | None
    width: int
    height: int
    scale: str
    depth_min: float | None
    depth_median: float | None
    depth_max: float | None
    invalid_pixels: int
    background_pixels: int  # of these, black background
    seconds: float
    confidence: str | None = None
    stddev: str | None = None


@dataclass(frozen=True)
class SkippedInput:
    """A file that could not be read, and why."""

    input: str
    reason: str


def all_there(outcomes: list[dict[str, Any]]) -> bool:
    """Whether every input of a part gave files, which are still there."""
    written = [outcome for outcome in outcomes if "reason" not in outcome]
    kinds = ("depth", "preview", "confidence", "stddev")
    files = [file for o in written for kind in kinds if (file := o.get(kind)) is not None]
    return len(written) == len(outcomes) and all(Path(file).exists() for file in files)


Estimated = tuple[InputFrame, DepthPrediction, float]


@dataclass
class PredictionWriter:
    """Writes ``NAME_depth.npy`` and, if asked for, ``NAME_preview.jpg`` of each frame.

    With ``confidence`` also ``NAME_confidence.npy`` and, of a calibrated model,
    ``NAME_stddev.npy``, where `evaluate depth --pred` finds them.
    ``told`` is called for each frame that is written and each input that is not.
    """

    estimator: DepthEstimator
    folder: Path
    preview: bool = True
    told: Callable[[WrittenPrediction | SkippedInput], None] = lambda outcome: None
    confidence: bool = False

    def write(self, frames: Frames) -> Iterator[list[dict[str, Any]]]:
        """What came of the frames of each part, as JSON holds it; None ends a part."""
        part: list[dict[str, Any]] = []
        with closing(in_threads(self._written, self._estimated(frames))) as outcomes:
            for outcome in outcomes:
                if outcome is None:
                    yield part
                    part = []
                else:
                    self.told(outcome)
                    part.append(asdict(outcome))

    def _estimated(self, frames: Frames) -> Iterator[Estimated | CorruptFrame | None]:
        """In batches that do not reach over a part, so that they are the same in every process."""
        batch: list[InputFrame] = []
        with closing(frames):
            for frame in frames:
                if isinstance(frame, InputFrame):
                    batch.append(frame)
                if not isinstance(frame, InputFrame) or len(batch) == self.estimator.batch_size:
                    yield from self._estimates(batch)
                    batch = []
                if not isinstance(frame, InputFrame):
                    yield frame

    def _estimates(self, batch: list[InputFrame]) -> Iterator[Estimated]:
        start = time.perf_counter()
        requests = [DepthRequest(frame.rgb, frame.camera, self.confidence) for frame in batch]
        predictions = self.estimator.estimate_batch(requests)
        seconds = (time.perf_counter() - start) / max(1, len(batch))
        for frame, prediction in zip(batch, predictions, strict=True):
            yield frame, prediction, seconds

    def _written(
        self, estimated: Estimated | CorruptFrame | None
    ) -> WrittenPrediction | SkippedInput | None:
        if estimated is None:
            return None
        if isinstance(estimated, CorruptFrame):
            return SkippedInput(printable(estimated.path), estimated.reason)
        frame, prediction, seconds = estimated
        preview_path = self.folder / f"{frame.name}_preview.jpg"
        maps = {
            kind: self._saved(frame, kind, values)
            for kind in ("depth", "confidence", "stddev")
            if (values := getattr(prediction, kind)) is not None
        }
        if self.preview:
            write_jpeg(preview_path, side_by_side(frame.rgb, prediction.disparity))
        valid = prediction.depth[np.isfinite(prediction.depth)]
        height, width = frame.rgb.shape[:2]
        return WrittenPrediction(
            input=printable(frame.file),
            preview=printable(preview_path) if self.preview else None,
            width=width,
            height=height,
            scale=prediction.scale,
            depth_min=float(valid.min()) if valid.size else None,
            depth_median=float(np.median(valid)) if valid.size else None,
            depth_max=float(valid.max()) if valid.size else None,
            invalid_pixels=prediction.depth.size - valid.size,
            background_pixels=prediction.background_pixels,
            seconds=round(seconds, 6),
            **maps,
        )

    def _saved(self, frame: InputFrame, kind: str, values: NDArray[np.float32]) -> str:
        file = self.folder / f"{frame.name}_{kind}.npy"
        with atomic_path(file) as path:
            np.save(path, values)
        return printable(file)
