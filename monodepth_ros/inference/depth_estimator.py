"""Depth of single frames: uint8 RGB in, float32 depth out."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.confidence import confidence_of
from monodepth_ros.inference.engines.base import Engine, Rgb
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.scale.unit import scale_of

OutputSize = Literal["network", "image"]


@dataclass(frozen=True)
class DepthPrediction:
    """Depth of one frame.

    ``disparity`` is 1 / depth, float32 HxW, NaN where invalid or outside the camera's ``valid``.
    Depth is in metres if ``scale`` is ``metric``, and up to an unknown factor if it is
    ``relative``. ``camera`` is the frame's camera at this size, if one was given. ``confidence``,
    if requested, is float32 HxW from 0 to 1.
    """

    disparity: NDArray[np.float32]
    scale: Literal["metric", "relative"]
    camera: PinholeCamera | None
    confidence: NDArray[np.float32] | None = None

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """float32 HxW, NaN where invalid."""
        return np.reciprocal(self.disparity)

    def in_metres(self, factor: float) -> DepthPrediction:
        """The same in metres, with ``factor`` metres per present unit."""
        return replace(self, disparity=self.disparity / np.float32(factor), scale="metric")


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
        # Resizing the camera's mask takes as long as decoding an image.
        self._resized = lru_cache(maxsize=1)(PinholeCamera.resized)

    def estimate(
        self,
        image: Rgb | NetworkInput,
        camera: PinholeCamera | None = None,
        with_confidence: bool = False,
    ) -> DepthPrediction:
        """Depth of ``image``, uint8 HxWx3, seen by ``camera`` (needed where metres depend on it).

        Confidence needs a second run of the network, on the mirrored image. It is the ratio of the
        smaller to the larger disparity, and low without image contrast. Godard et al.
        ("Unsupervised monocular depth estimation with left-right consistency", 2017) use the
        difference instead. Depth is the same with and without it.
        """
        seen = network_input(self.engine, image, camera)
        size = seen.image_size if self.output_size == "image" else self.size
        # Inverse depth is resized, because depth averages badly at edges.
        inverse = resize_linear(self.engine.inverse_depth(seen.frames)[0], size)
        confidence = None
        if with_confidence:
            mirrored = self.engine.inverse_depth(seen.frames.mirrored())[0]
            mirrored = resize_linear(np.ascontiguousarray(mirrored[:, ::-1]), size)
            confidence = confidence_of(seen.frames.pixels()[0], inverse, mirrored)
        scale = scale_of(self.card, camera, self.size)
        disparity = inverse / np.float32(scale.factor)
        disparity[~((disparity > 0) & (disparity < np.inf))] = np.nan
        seen_by = None if camera is None else self._resized(camera, *size)
        if seen_by is not None and seen_by.valid is not None:
            disparity[~seen_by.valid] = np.nan
            if confidence is not None:
                confidence[~seen_by.valid] = 0.0
        return DepthPrediction(disparity, scale.label, seen_by, confidence)
