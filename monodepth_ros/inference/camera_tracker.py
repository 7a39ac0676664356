"""A live camera's pose: the pose network's motions, with standstill, gaps and uncertainty."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import Matrix, carried_covariance, motion_of, twist_of
from monodepth_ros.inference.engines.base import Frames, Rgb
from monodepth_ros.inference.motion_estimator import MotionEstimator
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.thumbnail import Thumbnail, shift, thumbnail
from monodepth_ros.inference.tracker_settings import TrackerSettings
from monodepth_ros.stamps import CONFIRMED, JUMP, SECOND

Event = Literal["start", "motion", "standstill", "bridge", "gap", "restart"]
_SHORTEST = 1e-3  # seconds between two frames; stamps that are closer tell no velocity
_REMEMBERED = 300  # standing frames
_MANY = 10  # standing frames that tell how much noise alone seems to move the image
_EVENLY = 0.5  # of what an even motion has done halfway: with less, the camera stood at first
_SAME_CAMERA = 0.01  # of its focal length and its size


@dataclass(frozen=True)
class TrackedPose:
    """Where the camera is after a frame, and what was made of the frame.

    ``covariance`` 6x6 is of the position and of the rotation about the world's axes; ``velocity``
    (linear, angular) and its covariance are in the camera's frame, per second. ``distance`` is the
    length of the step in the model's own unit, before ``factor``, and ``since`` the stamp that it
    leads from: for a creeping camera, that of some images ago.
    """

    stamp: int
    T_world_camera: Matrix
    covariance: Matrix
    velocity: NDArray[np.float64]
    velocity_covariance: Matrix
    event: Event
    since: int
    distance: float


@dataclass(frozen=True)
class _Reference:
    """The frame that the next motion is measured from: the last at which something moved."""

    frames: Frames
    thumbnail: Thumbnail
    stamp: int


@dataclass(frozen=True)
class _Step:
    """What was made of a frame."""

    event: Event
    since: int
    distance: float = 0.0
    velocity_covariance: Matrix = field(default_factory=lambda: np.zeros((6, 6)))


class CameraTracker:
    """``T_world_camera`` of frame after frame, whatever the camera does; the first is the world.

    Frames may come late, twice or never. A pair of frames further apart than the network has learnt
    is bridged by the last velocity or declared a gap, with a covariance that says so. Where the
    clock was set, or the camera is another one, the pose goes on from where it was (``restart``):
    the motion meanwhile is unknown, as in a gap.
    """

    def __init__(self, estimator: MotionEstimator, settings: TrackerSettings | None = None) -> None:
        self.estimator = estimator
        self.settings = settings or TrackerSettings()
        self.restarts = 0
        self.skip_reason = ""  # why the last frame without a pose was skipped
        self.reset()

    def reset(self) -> None:
        """Start anew: the next frame is the new world."""
        self._reference: _Reference | None = None
        self._camera: PinholeCamera | None = None
        self._latest = self._segment = 0
        self._behind: list[int] = []  # stamps that came after later ones
        self._before_jump: dict[str, Any] | None = None  # all of this, before a jump ahead
        # Stamps, and shifts since the reference, of images that count as standing.
        self._standing: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._measured = 0  # when the velocity was last measured
        self._velocity = np.zeros(6)
        self._scaled = False  # whether metres were ever known
        self._unscaled_since: int | None = None  # stamp since which they are not, but were before
        self._continued = False  # whether the pose is of before the first frame
        self._begin_here()

    def _begin_here(self) -> None:
        """Make the latest camera the world, and go on from it."""
        self._T = np.eye(4)
        self._covariance = np.zeros((6, 6))

    def continue_from(self, former: CameraTracker) -> None:
        """Go on from the pose of another model's tracker, with its covariance, so without a jump.

        Where both models see frames at one size, the next motion is measured from the former's last
        frame, whichever engines run them. Otherwise the motion up to the first frame here is
        unknown, as in a gap.
        """
        if former._reference is None and not former._continued:
            return
        for name in ("_camera", "_latest", "_segment", "_measured", "_velocity"):
            setattr(self, name, getattr(former, name))
        self._scaled, self._unscaled_since = former._scaled, former._unscaled_since
        self._T, self._covariance = former._T.copy(), former._covariance.copy()
        self.restarts = former.restarts
        last = former._reference
        if last is not None and self.estimator.size == former.estimator.size:
            frames = self.estimator.engine.prepare(last.frames.pixels())
            self._reference = replace(last, frames=frames)
        self._continued = True

    def switch_camera(self, T_former_camera: Matrix) -> None:
        """Go on with another camera of the same robot, which sits at ``T_former_camera`` (4x4).

        The robot is where it was; its motion up to the next frame is unknown, as in a gap.
        """
        if self._begun:
            self._move(T_former_camera, np.zeros((6, 6)))
            self._camera = self._reference = None
            self._continued = True

    def add(
        self,
        image: Rgb | NetworkInput,
        camera: PinholeCamera,
        stamp: int,
        factor: float | None = 1.0,
        segment: int | None = None,
    ) -> TrackedPose | None:
        """The pose after the frame ``image``, uint8 HxWx3, taken at ``stamp`` nanoseconds.

        ``factor`` makes metres of the model's unit; with None they are not known. The world is the
        first camera at which they are. Later the camera turns in place then, with a covariance that
        grows by how far it can have come. ``segment`` says of which clock the stamp is, as a
        `StampFilter` does; without it the tracker tells by the stamps alone. None is returned for a
        frame that came late or twice, or may be a mistake, and for one without contrast, as of a
        covered lens: it is as if it had not come.
        """
        seen = network_input(self.estimator.engine, image, camera)
        if segment is None:
            segment = self._segment_of(stamp)
        elif segment == self._segment and self._begun and stamp <= self._latest:
            segment = None
        if segment is None:
            self.skip_reason = "its stamp is not newer than that of the one before"
            return None
        small, contrast = thumbnail(seen.frames.pixels()[0])
        if contrast < self.settings.min_contrast:
            self.skip_reason = "it has no contrast, as behind a covered lens"
            return None
        current = _Reference(seen.frames, small, stamp)
        jumped = self._begun and segment == self._segment and stamp - self._latest > JUMP
        self._before_jump = self._as_it_is() if jumped else None
        known = segment == self._segment and _same_camera(camera, self._camera)
        if self._reference is None or not known:
            step = self._first_step(current, segment, known)
            self._camera, self._reference, self._segment = camera, current, segment
        else:
            step = self._step(self._reference, current, factor)
        if factor is not None:
            self._scaled, self._unscaled_since = True, None
        elif not self._scaled:
            self._begin_here()
        self._latest, self._continued = stamp, False
        return TrackedPose(
            stamp,
            self._T.copy(),
            self._covariance.copy(),
            self._velocity.copy(),
            step.velocity_covariance,
            step.event,
            step.since,
            step.distance,
        )

    @property
    def _begun(self) -> bool:
        return self._reference is not None or self._continued

    def _as_it_is(self) -> dict[str, Any]:
        return {**self.__dict__, "_before_jump": None, "_standing": self._standing.copy()}

    def _segment_of(self, stamp: int) -> int | None:
        """Of a stamp that nobody has judged; None while it may be a mistake.

        A jump ahead is undone when the next stamp is from before it. Stamps from behind are a clock
        that was set when some in a row grow.
        """
        if not self._begun or stamp > self._latest:
            self._behind = []
            return self._segment
        if self._before_jump is not None and stamp > self._before_jump["_latest"]:
            self.__dict__.update(self._before_jump)
            return self._segment
        grows = bool(self._behind) and stamp > self._behind[-1]
        self._behind = [*self._behind, stamp] if grows else [stamp]
        return None if len(self._behind) < CONFIRMED else self._segment + 1

    def _first_step(self, current: _Reference, segment: int, known: bool) -> _Step:
        """Onto a frame that no motion can be measured to; the next tells how fast it goes."""
        latest, possible = self._latest, np.eye(6) * self.settings.max_speed**2
        self._measured, self._behind = current.stamp, []
        self._standing.clear()
        if not self._begun:
            return _Step("start", current.stamp, velocity_covariance=possible)
        elapsed = (current.stamp - latest) / SECOND
        if segment != self._segment:
            elapsed = self.settings.clock_change_gap
            if self._unscaled_since is not None:
                self._unscaled_since += current.stamp - latest
            latest = current.stamp
        self.restarts += not known
        self._velocity = np.zeros(6)
        self._move(np.eye(4), self._possible(elapsed))
        return _Step("gap" if known else "restart", latest, velocity_covariance=possible)

    def _step(self, reference: _Reference, current: _Reference, factor: float | None) -> _Step:
        settings = self.settings
        elapsed = (current.stamp - self._latest) / SECOND
        shifted = shift(reference.thumbnail, current.thumbnail)
        if shifted < settings.standstill_threshold_px:
            self._standing.append((current.stamp, shifted))
            self._velocity, self._measured = np.zeros(6), current.stamp
            noise = self._noise(np.eye(4)) / max(elapsed, _SHORTEST) ** 2
            return _Step("standstill", self._latest, velocity_covariance=noise)
        if elapsed > settings.max_image_gap:
            self._reference = current
            self._standing.clear()
            return self._over_a_gap(elapsed, (current.stamp - self._measured) / SECOND)
        motion = self.estimator.motion(reference.frames, current.frames, self._camera)
        distance = float(np.linalg.norm(motion[:3, 3]))
        motion[:3, 3] *= 0.0 if factor is None else factor
        share, since = self._latest_part(shifted, reference)
        rate = share / max((current.stamp - since) / SECOND, _SHORTEST)
        self._reference = current
        self._standing.clear()
        noise = self._noise(motion)
        velocity_noise = noise * rate**2
        if factor is None:
            noise = noise + self._unscaled_noise(current.stamp)
            velocity_noise[:3, :3] = np.eye(3) * settings.max_speed**2
        self._move(motion, noise)
        self._velocity, self._measured = twist_of(motion) * rate, current.stamp
        return _Step("motion", reference.stamp, distance, velocity_noise)

    def _latest_part(self, shifted: float, reference: _Reference) -> tuple[float, int]:
        """Which share of a motion came in its latest part, and the stamp that this began at.

        A creeping camera has moved evenly since its reference, some images ago. One that stood has
        just begun to: its latest part is that in which the latter half of the shift came.
        """
        if not self._standing:
            return 1.0, reference.stamp
        stamps = np.array([reference.stamp, *(stamp for stamp, _ in self._standing)], np.int64)
        shifts = np.array([0.0, *(so_far for _, so_far in self._standing)])
        noise = shifts[1:].min() if len(shifts) > _MANY else 0.0
        moved = np.sqrt(np.maximum(shifts**2 - noise**2, 0.0)) / np.sqrt(shifted**2 - noise**2)
        halfway = (stamps[0] + self._latest) // 2
        if moved[stamps >= halfway][0] > _EVENLY / 2:
            return 1.0, reference.stamp
        before = int(np.flatnonzero(moved <= 0.5)[-1])
        return float(1 - moved[before]), int(stamps[before])

    def _unscaled_noise(self, stamp: int) -> Matrix:
        """What a step adds while metres are not known: all of them may have gone one way."""
        if self._unscaled_since is None:
            self._unscaled_since = self._latest
        before, now = ((at - self._unscaled_since) / SECOND for at in (self._latest, stamp))
        carried = self.settings.max_speed**2 * (now**2 - before**2)
        return np.diag([carried] * 3 + [0.0] * 3)

    def _over_a_gap(self, elapsed: float, since_measured: float) -> _Step:
        """Go on as before through a short gap; stay, and say so, in a long one.

        Several gaps in a row count as one, or an old velocity would carry the robot on for ever.
        """
        possible = np.eye(6) * self.settings.max_speed**2
        if since_measured <= self.settings.max_extrapolation_time:
            motion = motion_of(self._velocity * elapsed)
            self._move(motion, self._noise(motion) + self._possible(elapsed / 2))
            return _Step("bridge", self._latest, velocity_covariance=possible / 4)
        self._velocity = np.zeros(6)
        self._move(np.eye(4), self._possible(elapsed))
        return _Step("gap", self._latest, velocity_covariance=possible)

    def _possible(self, elapsed: float) -> Matrix:
        """6x6 covariance of where it can have come in some seconds without an image."""
        reach = self.settings.max_speed * min(elapsed, self.settings.max_gap_duration)
        return np.diag([reach**2] * 3 + [min(reach, np.pi) ** 2] * 3)

    def _noise(self, step: Matrix) -> Matrix:
        """6x6 covariance of a step, in the frame that it starts from."""
        settings = self.settings
        moved, turned = np.linalg.norm(step[:3, 3]), np.linalg.norm(twist_of(step)[3:])
        translation = (
            settings.translation_noise * moved + settings.translation_noise_per_radian * turned
        )
        translation += settings.min_translation_noise
        rotation = settings.rotation_noise * turned + settings.min_rotation_noise
        return np.diag([translation**2] * 3 + [rotation**2] * 3)

    def _move(self, step: Matrix, noise: Matrix) -> None:
        """Chain a step, and carry the covariance along.

        An error of the heading swings what comes after it, as if on an arm as long as the step.
        """
        R = self._T[:3, :3]
        swung = carried_covariance(self._covariance, np.eye(3), R @ step[:3, 3])
        self._covariance = swung + carried_covariance(noise, R, np.zeros(3))
        self._T = self._T @ step


def _same_camera(one: PinholeCamera, other: PinholeCamera | None) -> bool:
    if one is other:
        return True
    if other is None or (one.height, one.width) != (other.height, other.width):
        return False
    # A focus that moves, or a calibration that goes on, is no other camera.
    return bool(np.allclose(one.K, other.K, rtol=_SAME_CAMERA, atol=_SAME_CAMERA * one.width))
