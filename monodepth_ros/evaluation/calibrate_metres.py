"""Metres for a model's card, from recordings with depth or with poses: `monodepth calibrate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.recordings import stamps_or_assumed
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.inference.odometry.view import grey_image
from monodepth_ros.inference.points.sampled import sampled
from monodepth_ros.inference.scale.calibration import MetricFit, fit_metres
from monodepth_ros.inference.scale.from_motion import MotionScale
from monodepth_ros.inference.scale.from_sensor import SensorScaleSettings, visible_points
from monodepth_ros.inference.scale.recorded import drawn_points
from monodepth_ros.inference.scale.unit import focal_length

Array = NDArray[np.float64]
KnownBy = Literal["depth", "motion"]

_POINTS = 300  # of a frame
_MOST = 20_000  # of all frames: more say the same
_NOISE = SensorScaleSettings()


@dataclass
class KnownPoints:
    """Inverse depths (N,) with variances, in units of the first camera, and what is predicted.

    ``focal`` is the focal length of that camera at the network's size.
    """

    known: list[Array] = field(default_factory=list)
    variance: list[Array] = field(default_factory=list)
    predicted: list[Array] = field(default_factory=list)
    focal: float = 0.0

    def add(self, known: Array, variance: Array, predicted: Array, focal: float) -> None:
        """Points of a frame. The same view through a longer lens looks nearer than it is."""
        self.focal = self.focal or focal
        ratio = focal / self.focal
        self.known.append(known * ratio)
        self.variance.append(variance * ratio**2)
        self.predicted.append(predicted)

    def fit(self, with_shift: bool) -> tuple[MetricFit, int]:
        """The fit to all, and the number of frames; UserError where there are none."""
        if not self.known:
            raise UserError("no frame of --data has points of known depth")
        joined = [np.concatenate(parts) for parts in (self.known, self.variance, self.predicted)]
        if len(joined[0]) > _MOST:
            chosen = np.random.default_rng(0).choice(len(joined[0]), _MOST, replace=False)
            joined = [values[chosen] for values in joined]
        known, variance, predicted = joined
        return fit_metres(known, variance, predicted, with_shift), len(self.known)


def known_points(
    engine: Engine, recordings: Iterable[Sequence], every: int, by: KnownBy | None
) -> KnownPoints:
    """Points of rectified recordings: ``by`` their depth, or triangulated with their poses.

    None: by depth where a recording has it. UserError where it has neither.
    """
    found = KnownPoints()
    for recording in recordings:
        source = by or ("depth" if recording.has_depth else "motion")
        if source == "motion" and not recording.states_poses:
            raise UserError(f"{recording.name}: it has neither depth nor poses")
        if source == "depth" and not recording.has_depth:
            raise UserError(f"{recording.name}: it has no depth")
        take = _by_depth if source == "depth" else _by_motion
        take(engine, recording, every, found)
    return found


def _by_depth(engine: Engine, recording: Sequence, every: int, found: KnownPoints) -> None:
    camera, generator = recording.camera, np.random.default_rng(0)
    focal = focal_length(camera, engine.size)
    for index in range(0, len(recording), every):
        try:
            rgb, depth = recording.image(index), recording.depth(index)
        except CorruptFrame:
            continue
        if depth is None:
            continue
        points = drawn_points(depth, camera, _POINTS, generator)
        pixels, z = visible_points(points, camera, _NOISE)
        if not len(z):
            continue
        predicted = sampled(network_input(engine, rgb, camera).inverse_depth, pixels, camera)
        deviation = _NOISE.noise / z + _NOISE.relative_noise
        found.add(1 / z, (deviation / z) ** 2, predicted, focal)


def _by_motion(engine: Engine, recording: Sequence, every: int, found: KnownPoints) -> None:
    """All frames are tracked; of every n-th the points count."""
    scale = MotionScale(with_shift=engine.card.ambiguity == "scale_and_shift")
    times, focal = stamps_or_assumed(recording), focal_length(recording.camera, engine.size)
    for index in range(len(recording)):
        try:
            rgb, pose = recording.image(index), recording.pose(index)
        except CorruptFrame:
            continue
        stamp = times[index]
        if pose is None or stamp is None:
            continue
        asked = index % every == 0
        inverse = network_input(engine, rgb, recording.camera).inverse_depth if asked else None
        grey = grey_image(rgb, recording.camera)
        scale.motion.add(stamp, pose)
        scale.points = None
        scale.add(grey.pixels, grey.camera, stamp, np.eye(4), inverse)
        if scale.points is not None:
            found.add(*scale.points, focal)
