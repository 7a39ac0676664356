"""Estimates the metric scale of a relative model from the robot's speed or the camera's height.

One factor holds for depth and odometry, because both networks of a model were trained together. Our
choice: the median of the latest ratios, each over a short distance, which tolerates outliers.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.scale.ground_plane import ground_height
from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.stamps import SECOND

_MIN_GROUND_IMAGES = 3  # images with ground before there is a factor
_DISTANCE = 0.5  # metres by the speed for one ratio
_MIN_DISTANCES = 3  # of them before there is a factor
_MIN_SPEED = 0.05  # m/s; slower motions are mostly noise
_MAX_SPEED_INTERVAL = 0.5  # seconds between two speeds that are interpolated
_COMPARISONS = 15  # the latest ratios, whose median counts


class MedianScale:
    """The median of the newest ratios of metres to the model's unit."""

    def __init__(self, length: int, min_count: int) -> None:
        self._ratios: deque[float] = deque(maxlen=length)
        self._min_count = min_count

    def add(self, ratio: float) -> None:
        """Add a ratio; what is not finite and positive is ignored."""
        if np.isfinite(ratio) and ratio > 0:
            self._ratios.append(ratio)

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model; None before there are ``min_count`` ratios."""
        return float(np.median(self._ratios)) if len(self._ratios) >= self._min_count else None

    @property
    def scale(self) -> Scale | None:
        """The factor with its uncertainty: that of a median of these ratios."""
        if (factor := self.factor) is None:
            return None
        apart = np.abs(np.log(np.array(self._ratios) / factor))
        variance = np.pi / 2 * (1.4826 * float(np.median(apart))) ** 2 / len(apart)
        return Scale(factor, "metric", covariance=np.diag([variance, 0.0]))


class SpeedScale(MedianScale):
    """The scale from the ratio of the distance by speed to the distance by vision.

    Speeds and motions arrive independently: a motion waits until speeds cover its time.
    """

    def __init__(self) -> None:
        super().__init__(_COMPARISONS, _MIN_DISTANCES)
        self._speeds: deque[tuple[int, float]] = deque(maxlen=2000)
        self._waiting: deque[tuple[int, int, float]] = deque(maxlen=200)
        self._driven = self._seen = 0.0
        self._motions = 0

    @property
    def missing(self) -> str:
        """What is missing for a factor, in words."""
        if self._motions == 0:
            return "no motion in the images"
        stamps = np.array([stamp for stamp, _ in self._speeds])
        apart = float(np.median(np.diff(stamps))) / SECOND if len(stamps) > 1 else np.inf
        if apart > _MAX_SPEED_INTERVAL:
            return f"speeds arrive every {apart:.1f} s; at most {_MAX_SPEED_INTERVAL} s are allowed"
        driven = len(self._ratios) * _DISTANCE + self._driven
        return f"{driven:.1f} of {_MIN_DISTANCES * _DISTANCE:.1f} m driven"

    def add_speed(self, stamp: int, speed: float) -> None:
        """The robot's speed (m/s, of either sign) at a time in nanoseconds."""
        if not np.isfinite(speed):
            return
        if self._speeds and stamp <= self._speeds[-1][0]:
            if stamp > self._speeds[-1][0] - SECOND:
                return  # a repeated message, or out of order
            self._speeds.clear()  # the clock has jumped back
            self._waiting.clear()
            self._driven = self._seen = 0.0
        self._speeds.append((stamp, abs(speed)))
        while self._waiting and self._waiting[0][1] <= stamp:
            self._compare(*self._waiting.popleft())

    def add_motion(self, start: int, end: int, distance: float) -> None:
        """A camera motion of ``distance`` in the model's unit, between two times in nanoseconds."""
        self._motions += 1
        if self._waiting and start < self._waiting[-1][0]:
            self._waiting.clear()  # the clock has jumped back
        if self._speeds and end <= self._speeds[-1][0]:
            self._compare(start, end, distance)
        else:
            self._waiting.append((start, end, distance))

    def _compare(self, start: int, end: int, distance: float) -> None:
        driven = self._distance(start, end)
        if driven is None or driven < _MIN_SPEED * (end - start) / SECOND:
            return
        self._driven += driven
        self._seen += distance
        if self._driven >= _DISTANCE:
            if self._seen > 0:
                self.add(self._driven / self._seen)
            self._driven = self._seen = 0.0

    def _distance(self, start: int, end: int) -> float | None:
        """The integral of the linearly interpolated speed; None if samples are missing."""
        stamps = np.array([stamp for stamp, _ in self._speeds], np.int64)
        speeds = np.array([speed for _, speed in self._speeds])
        first = int(np.searchsorted(stamps, start, "right")) - 1
        last = int(np.searchsorted(stamps, end, "left"))
        if first < 0 or last >= len(stamps):
            return None
        inside = stamps[first : last + 1]
        if len(inside) > 1 and np.diff(inside).max() > _MAX_SPEED_INTERVAL * SECOND:
            return None
        between = inside[(inside > start) & (inside < end)]
        times = np.concatenate([[start], between, [end]]) - start
        at_times = np.interp(times, inside - start, speeds[first : last + 1])
        return float((np.diff(times) * (at_times[1:] + at_times[:-1])).sum() / 2 / SECOND)


class CameraHeightScale(MedianScale):
    """The scale from the ratio of the camera's known height to its estimated one."""

    def __init__(self, height: float) -> None:
        super().__init__(_COMPARISONS, _MIN_GROUND_IMAGES)
        self._height = height
        self._images = 0

    @property
    def missing(self) -> str:
        """What is missing for a factor, in words."""
        if self._ratios:
            return f"ground found in {len(self._ratios)} of {_MIN_GROUND_IMAGES} images needed"
        return f"no flat ground found in {self._images} images"

    def add_depth(
        self,
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        confidence: NDArray[np.float32] | None = None,
    ) -> None:
        """Fit the ground in a depth image HxW of ``camera``, in the model's unit.

        Pixels count by their ``confidence``, if it is known.
        """
        self._images += 1
        seen = ground_height(depth, camera, confidence)
        if seen is not None:
            self.add(self._height / seen)
