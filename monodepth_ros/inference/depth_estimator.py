"""Depth of single frames: uint8 RGB in, float32 depth out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_bytes, resize_linear, resize_nearest
from monodepth_ros.inference.background import Background, black_background, checked_background
from monodepth_ros.inference.engines.base import (
    DepthMaps,
    Engine,
    Frames,
    Rgb,
    depth_and_variance,
)
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.output_size import resize_output
from monodepth_ros.inference.scale.unit import Scale, scale_of
from monodepth_ros.inference.uncertainty.certainty import certainty, confidence_of, stddev_of
from monodepth_ros.inference.uncertainty.error_model import error_model_of, is_calibrated
from monodepth_ros.inference.uncertainty.views import MAX_VIEWS, views_of

_MAX_CAMERAS = 16  # whose resized ones are kept: more than a robot has
_BATCH = 16  # frames at a time that fill a GPU
OutputSize = Literal["network", "image"]


@dataclass(frozen=True)
class DepthPrediction:
    """Depth of one frame.

    ``disparity`` is 1 / depth, float32 HxW, NaN where invalid or outside the camera's ``valid``.
    Depth is in metres if ``scale`` is ``metric``, and up to an unknown factor if it is
    ``relative``. Where the model leaves the shift open as well, disparity has any sign, and depth
    means nothing before `in_metres`. ``camera`` is the frame's camera at this size, if one was
    given. ``confidence``, if requested, is float32 HxW from 0 to 1: the probability that depth is
    within 25 % of the truth. ``stddev``, if requested of a calibrated model, is the standard
    deviation of depth, float32 HxW in its unit, NaN where unknown. ``certainty`` is what both are
    made of, the inverse of the standard deviation of log depth, of any size. They leave out an
    error of the scale as a whole, but for what `in_metres` is told of it. ``background_pixels`` are
    invalid as black background, though the network gave depth.
    """

    disparity: NDArray[np.float32]
    scale: Literal["metric", "relative"]
    camera: PinholeCamera | None
    confidence: NDArray[np.float32] | None = None
    stddev: NDArray[np.float32] | None = None
    certainty: NDArray[np.float32] | None = None
    background_pixels: int = 0

    @property
    def valid_pixels(self) -> int:
        """How many have a depth."""
        return int(np.isfinite(self.disparity).sum())

    @cached_property
    def depth(self) -> NDArray[np.float32]:
        """float32 HxW, NaN where invalid."""
        with np.errstate(divide="ignore"):
            depth = np.reciprocal(self.disparity)
        if np.fmin.reduce(self.disparity, axis=None) <= 0:  # of a model of unknown shift alone
            depth[self.disparity <= 0] = np.nan
        return depth

    def in_metres(self, metres: float | Scale) -> DepthPrediction:
        """The same in metres: metres per present unit, or a scale with its shift and uncertainty.

        Confidence and standard deviation take in the uncertainty.
        """
        if not isinstance(metres, Scale):
            metres = Scale(metres, "metric")
        disparity = metres.inverse_depth(self.disparity)
        if metres.shift:
            disparity = np.where(disparity > 0, disparity, np.float32(np.nan))
        moved = replace(self, disparity=disparity, scale="metric")
        if self.certainty is None or metres.keeps_certainty:
            stddev = None if self.stddev is None else self.stddev * np.float32(metres.factor)
            return replace(moved, stddev=stddev)
        known = metres.certainty(resize_linear(self.certainty, disparity.shape), disparity)
        return moved.rated(known, self.stddev is not None)

    def rated(self, known: NDArray[np.float32], calibrated: bool) -> DepthPrediction:
        """The same with confidence by its certainty ``known``, and ``stddev`` if `calibrated`.

        Both are enlarged after they are computed, which is much cheaper than before.
        """
        size = self.disparity.shape
        confidence = resize_linear(confidence_of(known), size)
        if np.isnan(self.disparity.min()):
            confidence[np.isnan(self.disparity)] = 0
        stddev = resize_linear(stddev_of(known), size) * self.depth if calibrated else None
        return replace(self, confidence=confidence, stddev=stddev, certainty=known)

    def at_least(self, min_confidence: float) -> DepthPrediction:
        """The same, invalid where confidence is lower."""
        if self.confidence is None or min_confidence <= 0:
            return self
        keep, unknown = self.confidence >= min_confidence, np.float32(np.nan)
        stddev = None if self.stddev is None else np.where(keep, self.stddev, unknown)
        return replace(self, disparity=np.where(keep, self.disparity, unknown), stddev=stddev)


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
        confidence_views: further views of an image, at most 5, that confidence compares: mirrored,
            darker, brighter, blurred, cropped. Each costs another run of the network.
        background: ``black_invalid`` leaves out black background (`background.py`), as of space.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine,
        device: str = "auto",
        output_size: OutputSize = "image",
        confidence_views: int = 0,
        background: str = "keep",
    ) -> None:
        if not 0 <= confidence_views <= MAX_VIEWS:
            raise UserError(f"confidence_views {confidence_views}: from 0 to {MAX_VIEWS}")
        self.confidence_views = confidence_views
        self.background: Background = checked_background(background)
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

        Confidence and standard deviation cost about a millisecond at 192x128, and no run of the
        network without ``confidence_views``. Depth is the same with and without them, but for
        rounding. See docs/confidence.md.
        """
        return self.estimate_batch([DepthRequest(image, camera, with_confidence)])[0]

    def estimate_batch(self, requests: Sequence[DepthRequest]) -> list[DepthPrediction]:
        """Depth of several frames, whose sizes and cameras may differ, by one run of the network.

        Where the network's size follows from the image, by one run for each size. Further views for
        confidence are part of that batch.
        """
        seen = [network_input(self.engine, r.image, r.camera) for r in requests]
        sizes = [each.frames.size for each in seen]
        found: dict[int, DepthPrediction] = {}
        for size in dict.fromkeys(sizes):
            alike = [k for k, other in enumerate(sizes) if other == size]
            batch = self._estimate_batch([requests[k] for k in alike], [seen[k] for k in alike])
            found.update(zip(alike, batch, strict=True))
        return [found[k] for k in range(len(requests))]

    def _estimate_batch(
        self, requests: Sequence[DepthRequest], seen: Sequence[NetworkInput]
    ) -> list[DepthPrediction]:
        """The same of frames that the network ``seen`` at one size."""
        frames = [each.frames for each in seen]
        rated = [k for k, request in enumerate(requests) if request.with_confidence]
        pixels = {k: frames[k].pixels()[0] for k in rated}
        count = self.confidence_views
        views = [self.engine.prepare(views_of(pixels[k], count)) for k in rated if count]
        inverse, told = self._maps(frames[0].joined([*frames[1:], *views]), bool(rated))
        for each, found in zip(seen, inverse, strict=False):
            each.keep_inverse_depth(found)
        of_views = inverse[len(frames) :].reshape(len(views), count, *inverse.shape[1:])
        known = {
            k: certainty(
                resize_bytes(pixels[k][None], inverse.shape[1:])[0],
                inverse[k],
                self.card,
                None if told is None else told[k],
                of_views[n] if count else None,
            )
            for n, k in enumerate(rated)
        }
        return [
            self._prediction(seen[k], request.camera, inverse[k], known.get(k))
            for k, request in enumerate(requests)
        ]

    def _maps(self, frames: Frames, rated: bool) -> DepthMaps:
        """The variance costs time, so it is asked for where confidence is made of it."""
        if rated and error_model_of(self.card).head:
            return depth_and_variance(self.engine, frames)
        return DepthMaps(self.engine.inverse_depth(frames))

    def _prediction(
        self,
        seen: NetworkInput,
        camera: PinholeCamera | None,
        inverse: NDArray[np.float32],
        known: NDArray[np.float32] | None,
    ) -> DepthPrediction:
        """The prediction of one frame; ``known`` is its `certainty`."""
        size = seen.image_size if self.output_size == "image" else inverse.shape
        scale = scale_of(self.card, camera, seen.frames.size)
        small = scale.inverse_depth(inverse)
        disparity = resize_output(small, size, self.card.resize)
        least = -np.inf if self.card.unknown_shift else 0.0
        # What lies between is valid as well, unless a rule resizes bicubically.
        seen_at = small if self.card.resize is None else disparity
        if not (seen_at.min() > least and seen_at.max() < np.inf):
            disparity[~((disparity > least) & (disparity < np.inf))] = np.nan
        seen_by = None if camera is None else self._resized(camera, *size)
        if seen_by is not None and seen_by.valid is not None:
            disparity[~seen_by.valid] = np.nan
        background = 0
        if self.background == "black_invalid":
            black = resize_nearest(black_background(seen.image), size)
            background = int((np.isfinite(disparity) & black).sum())
            disparity[black] = np.nan
        prediction = DepthPrediction(disparity, scale.label, seen_by, background_pixels=background)
        if known is None:
            return prediction
        if not scale.keeps_certainty:
            known = scale.certainty(resize_linear(known, size), disparity)
        return prediction.rated(known, is_calibrated(self.card))
