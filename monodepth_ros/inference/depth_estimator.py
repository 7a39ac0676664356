"""Depth of single frames: uint8 RGB in, float32 depth out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.confidence import agreement, evidence
from monodepth_ros.inference.engines.base import Engine, Rgb
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.scale.unit import scale_of

_MAX_CAMERAS = 16  # whose resized ones are kept: more than a robot has
_BATCH = 16  # frames at a time that fill a GPU
OutputSize = Literal["network", "image"]


@dataclass(frozen=True)
class DepthPrediction:
    """Depth of one frame.

    ``disparity`` is 1 / depth, float32 HxW, NaN where invalid or outside the camera's ``valid``.
    Depth is in metres if ``scale`` is ``metric``, and up to an unknown factor if it is
    ``relative``. ``camera`` is the frame's camera at this size, if one was given. ``confidence``,
    if requested, is float32 HxW from 0 to 1. ``stddev``, where the model has one, is the standard
    deviation of depth, float32 HxW in its unit, NaN where unknown.
    """

    disparity: NDArray[np.float32]
    scale: Literal["metric", "relative"]
    camera: PinholeCamera | None
    confidence: NDArray[np.float32] | None = None
    stddev: NDArray[np.float32] | None = None

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """float32 HxW, NaN where invalid."""
        return np.reciprocal(self.disparity)

    def in_metres(self, factor: float) -> DepthPrediction:
        """The same in metres, with ``factor`` metres per present unit."""
        metres = np.float32(factor)
        stddev = None if self.stddev is None else self.stddev * metres
        return replace(self, disparity=self.disparity / metres, stddev=stddev, scale="metric")


@dataclass(frozen=True)
class DepthRequest:
    """One frame of a batch; the arguments of `DepthEstimator.estimate`."""

    image: Rgb | NetworkInput
    camera: PinholeCamera | None = None
    with_confidence: bool = False


class DepthEstimator:
    """Estimates depth with a model.

    Args:
        model: a name in the zoo, the path of a model folder, or a loaded engine.
        device: of a model that is not loaded: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        output_size: size of the depth: that of the ``image`` or of the ``network``.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine,
        device: str = "auto",
        output_size: OutputSize = "image",
    ) -> None:
        self.engine = load_engine(model, device=device)
        self.card, self.size = self.engine.card, self.engine.size
        self.output_size = output_size
        # On a CPU a batch takes as long as its frames do one by one.
        self.batch_size = 1 if self.engine.device.lower() == "cpu" else _BATCH
        # Resizing a camera's mask takes as long as decoding an image.
        self._resized = lru_cache(maxsize=_MAX_CAMERAS)(PinholeCamera.resized)

    def estimate(
        self,
        image: Rgb | NetworkInput,
        camera: PinholeCamera | None = None,
        with_confidence: bool = False,
    ) -> DepthPrediction:
        """Depth of ``image``, uint8 HxWx3, seen by ``camera`` (needed where metres depend on it).

        Confidence costs the network a second image, the mirrored one. It is the ratio of the
        smaller to the larger disparity, and low without image contrast. Godard et al.
        ("Unsupervised monocular depth estimation with left-right consistency", 2017) use the
        difference instead. Depth is the same with and without it, but for rounding.
        """
        return self.estimate_batch([DepthRequest(image, camera, with_confidence)])[0]

    def estimate_batch(self, requests: Sequence[DepthRequest]) -> list[DepthPrediction]:
        """Depth of several frames, whose sizes and cameras may differ, by one run of the network.

        Mirrored images for confidence are part of that batch.
        """
        if not requests:
            return []
        seen = [network_input(self.engine, r.image, r.camera) for r in requests]
        frames = [each.frames for each in seen]
        compared = [k for k, request in enumerate(requests) if request.with_confidence]
        mirrored = [frames[k].mirrored() for k in compared]
        inverse = self.engine.inverse_depth(frames[0].joined([*frames[1:], *mirrored]))
        for each, found in zip(seen, inverse, strict=False):
            each.keep_inverse_depth(found)
        of_mirrored = dict(zip(compared, inverse[len(frames) :, :, ::-1], strict=True))
        return [
            self._prediction(seen[k], request.camera, inverse[k], of_mirrored.get(k))
            for k, request in enumerate(requests)
        ]

    def _prediction(
        self,
        seen: NetworkInput,
        camera: PinholeCamera | None,
        inverse: NDArray[np.float32],
        mirrored: NDArray[np.float32] | None,
    ) -> DepthPrediction:
        """The prediction of one frame; ``mirrored`` is mirrored back."""
        size = seen.image_size if self.output_size == "image" else self.size
        scale = scale_of(self.card, camera, self.size)
        factor = np.float32(scale.factor)
        # Disparity is resized, because depth averages badly at edges.
        small = inverse / factor
        disparity = resize_linear(small, size)
        confidence = None
        if mirrored is not None:
            mirrored = resize_linear(mirrored / factor, size)
            contrast = resize_linear(evidence(seen.frames.pixels()[0]), size)
            confidence = agreement(disparity, mirrored) * contrast
        if not (small.min() > 0 and small.max() < np.inf):  # what lies between is valid as well
            disparity[~((disparity > 0) & (disparity < np.inf))] = np.nan
        seen_by = None if camera is None else self._resized(camera, *size)
        if seen_by is not None and seen_by.valid is not None:
            disparity[~seen_by.valid] = np.nan
            if confidence is not None:
                confidence[~seen_by.valid] = 0.0
        return DepthPrediction(disparity, scale.label, seen_by, confidence)
