"""Metres per unit of a model whose depth and translation are relative, from what a robot knows.

One factor holds for depth and odometry alike, as both networks of a model were trained together.
Our choice throughout: ratios of short stretches, and the median of the latest of them, so that a
single bad stretch does not count.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.scale.ground_plane import GroundPlaneSettings, ground_height

_SECOND = 1_000_000_000  # nanoseconds
_GROUNDS = 3  # images with ground that make a factor


class LatestMedian:
    """The median of the newest values; None before there are enough of them."""

    def __init__(self, length: int, needed: int) -> None:
        self._values: deque[float] = deque(maxlen=length)
        self._needed = needed

    def add(self, value: float) -> None:
        """Take a value in; what is not finite and positive is none."""
        if np.isfinite(value) and value > 0:
            self._values.append(value)

    def __len__(self) -> int:
        """How many values are held."""
        return len(self._values)

    @property
    def value(self) -> float | None:
        """The median of what is held."""
        return float(np.median(self._values)) if len(self._values) >= self._needed else None


@dataclass(frozen=True)
class SpeedScaleSettings:
    """How speeds and motions are compared."""

    stretch: float = 0.5  # metres by the speed that make one comparison
    slowest: float = 0.05  # m/s; below, a motion tells more about noise than about scale
    longest_silence: float = 0.5  # seconds between two speeds over which one can be assumed
    comparisons: int = 15
    needed: int = 3


class SpeedScale:
    """The scale by the ratio of the distance driven to the distance seen.

    Speeds and motions come from different sources, each in its own rhythm: a motion waits until
    speeds cover its time.
    """

    def __init__(self, settings: SpeedScaleSettings | None = None) -> None:
        self._settings = settings or SpeedScaleSettings()
        self._ratio = LatestMedian(self._settings.comparisons, self._settings.needed)
        self._speeds: deque[tuple[int, float]] = deque(maxlen=2000)
        self._waiting: deque[tuple[int, int, float]] = deque(maxlen=200)
        self._driven = self._seen = 0.0
        self._motions = 0

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model; None until enough has been driven."""
        return self._ratio.value

    @property
    def lacks(self) -> str:
        """What is missing for a factor, in words."""
        settings = self._settings
        if self._motions == 0:
            return "no motion is seen in the images"
        stamps = np.array([stamp for stamp, _ in self._speeds])
        apart = float(np.median(np.diff(stamps))) / _SECOND if len(stamps) > 1 else np.inf
        if apart > settings.longest_silence:
            return f"speeds come {apart:.1f} s apart, and {settings.longest_silence} s is the most"
        driven = len(self._ratio) * settings.stretch + self._driven
        return f"{driven:.1f} of {settings.needed * settings.stretch:.1f} m are driven"

    def add_speed(self, stamp: int, speed: float) -> None:
        """The robot's speed (m/s, of either sign) at a time in nanoseconds."""
        if not np.isfinite(speed):
            return
        if self._speeds and stamp <= self._speeds[-1][0]:
            if stamp > self._speeds[-1][0] - _SECOND:
                return  # a message twice, or out of its order
            self._start_over()
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

    def _start_over(self) -> None:
        self._speeds.clear()
        self._waiting.clear()
        self._driven = self._seen = 0.0

    def _compare(self, start: int, end: int, distance: float) -> None:
        driven = self._distance(start, end)
        if driven is None or driven < self._settings.slowest * (end - start) / _SECOND:
            return
        self._driven += driven
        self._seen += distance
        if self._driven >= self._settings.stretch:
            if self._seen > 0:
                self._ratio.add(self._driven / self._seen)
            self._driven = self._seen = 0.0

    def _distance(self, start: int, end: int) -> float | None:
        """The integral of the speed, linear between its samples; None where they leave a hole."""
        stamps = np.array([stamp for stamp, _ in self._speeds], np.int64)
        speeds = np.array([speed for _, speed in self._speeds])
        first = int(np.searchsorted(stamps, start, "right")) - 1
        last = int(np.searchsorted(stamps, end, "left"))
        if first < 0 or last >= len(stamps):
            return None
        inside = stamps[first : last + 1]
        if len(inside) > 1 and np.diff(inside).max() > self._settings.longest_silence * _SECOND:
            return None
        between = inside[(inside > start) & (inside < end)]
        times = np.concatenate([[start], between, [end]]) - start
        at_times = np.interp(times, inside - start, speeds[first : last + 1])
        return float((np.diff(times) * (at_times[1:] + at_times[:-1])).sum() / 2 / _SECOND)


class CameraHeightScale:
    """The scale by how high above the ground the camera is known to be, and seen to be."""

    def __init__(self, height: float, settings: GroundPlaneSettings | None = None) -> None:
        self._height = height
        self._settings = settings or GroundPlaneSettings()
        self._ratio = LatestMedian(15, _GROUNDS)
        self._looked = 0

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model; None until ground has been seen a few times."""
        return self._ratio.value

    @property
    def lacks(self) -> str:
        """What is missing for a factor, in words."""
        if len(self._ratio):
            return f"ground was seen in {len(self._ratio)} images, and {_GROUNDS} are needed"
        return f"no flat ground below the camera is seen in {self._looked} images"

    def add_depth(self, depth: NDArray[np.float32], camera: PinholeCamera) -> None:
        """Look for the ground in a depth image HxW of the model's unit, seen by ``camera``."""
        self._looked += 1
        seen = ground_height(depth, camera, self._settings)
        if seen is not None:
            self._ratio.add(self._height / seen)
