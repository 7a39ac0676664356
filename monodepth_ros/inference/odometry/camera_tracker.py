"""The pose of a live camera from measured motions, with standstill, gaps and covariance."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import Matrix, chained_covariance, motion_of, twist_of
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.network_input import NetworkInput
from monodepth_ros.inference.odometry.motion import Motion, MotionMethod
from monodepth_ros.inference.odometry.thumbnail import Thumbnail, shift, thumbnail
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.inference.odometry.view import View, Views
from monodepth_ros.stamps import CONFIRMED, JUMP, SECOND

Event = Literal["start", "motion", "standstill", "bridge", "gap", "restart"]
_MIN_INTERVAL = 1e-3  # seconds between two frames, for velocities
_MAX_STANDING = 300  # standing frames that are kept
_MIN_STANDING = 10  # standing frames for an estimate of the image motion by noise alone
_EVEN_MOTION = 0.5  # of the motion at half time; with less than half of it the camera stood first
_SAME_CAMERA = 0.01  # relative tolerance of K


@dataclass(frozen=True)
class TrackedPose:
    """The camera's pose after a frame, and the event of the frame.

    ``covariance`` 6x6 is that of position and rotation in the world's axes; ``velocity`` (linear,
    angular) and its covariance are in the camera's frame, per second. ``distance`` is the length of
    the step in the model's unit, before ``factor``; ``since`` is the stamp at its start, which for
    a slow camera is that of an earlier image. ``motion`` is what a method has measured, if one was
    asked: its translation is in the model's unit.
    """

    stamp: int
    T_world_camera: Matrix
    covariance: Matrix
    velocity: NDArray[np.float64]
    velocity_covariance: Matrix
    event: Event
    since: int
    distance: float
    motion: Motion | None = None


@dataclass(frozen=True)
class _Reference:
    """The frame that the next motion starts from: the last one with a motion."""

    view: View
    thumbnail: Thumbnail

    @property
    def stamp(self) -> int:
        return self.view.stamp


@dataclass(frozen=True)
class _Step:
    """The step to a frame."""

    event: Event
    since: int
    velocity_covariance: Matrix
    distance: float = 0.0
    motion: Motion | None = None


class CameraTracker:
    """``T_world_camera`` of each frame; the world is the first frame's camera.

    ``method`` measures motions (`load_method`); it must be this tracker's alone. Frames may be
    late, repeated or missing. After a longer interval than motions are measured over, and where the
    method can only guess, the last velocity is extrapolated (``bridge``) or the motion is unknown
    (``gap``); the covariance grows accordingly. When the clock was set or the camera has changed,
    the pose continues from its last value (``restart``), and the motion meanwhile is unknown.
    """

    def __init__(self, method: MotionMethod, settings: TrackerSettings | None = None) -> None:
        self.method = method
        self.settings = settings or TrackerSettings()
        self._views = Views(method.engine, method.sees_grey)
        self.restarts = 0
        self.skip_reason = ""  # why the last frame without a pose was skipped
        self.reset()

    def reset(self) -> None:
        """Restart: the next frame's camera is the world."""
        self.method.reset()
        self._reference: _Reference | None = None
        self._camera: PinholeCamera | None = None
        self._latest = self._segment = 0
        self._behind: list[int] = []  # stamps that arrived after later ones
        self._before_jump: dict[str, Any] | None = None  # the state before a jump forward
        # Stamps of standing images, and their image motions since the reference.
        self._standing: deque[tuple[int, float]] = deque(maxlen=_MAX_STANDING)
        self._measured = 0  # stamp of the last measured velocity
        self._velocity = np.zeros(6)
        self._scaled = False  # whether the scale was ever known
        self._unscaled_since: int | None = None  # since when it is unknown again
        self._continued = False  # whether the pose is older than the first frame
        self._set_origin()

    def _set_origin(self) -> None:
        """Make the current camera the world."""
        self._T = np.eye(4)
        self._covariance = np.zeros((6, 6))

    def continue_from(self, former: CameraTracker) -> None:
        """Continue from the pose and covariance of another model's tracker, without a jump.

        If both models have the same input size, the next motion starts from the former tracker's
        last frame, whichever engines run them. Otherwise, and if the method needs more of that
        frame than the former one, the motion up to the first frame is unknown, as in a gap.
        """
        if former._reference is None and not former._continued:
            return
        for name in ("_camera", "_latest", "_segment", "_measured", "_velocity"):
            setattr(self, name, getattr(former, name))
        self._scaled, self._unscaled_since = former._scaled, former._unscaled_since
        self._T, self._covariance = former._T.copy(), former._covariance.copy()
        self.restarts = former.restarts
        last, engine = former._reference, self.method.engine
        seen = last is not None and (last.view.picture is not None or not self.method.sees_grey)
        if last is not None and seen and engine.size == former.method.engine.size:
            self._reference = replace(last, view=last.view.for_engine(engine))
        self._continued = True

    def switch_camera(self, T_former_camera: Matrix) -> None:
        """Continue with another camera of the same robot, at ``T_former_camera`` (4x4).

        The robot's pose stays; its motion up to the next frame is unknown, as in a gap.
        """
        if self._started:
            self._compose(T_former_camera, np.zeros((6, 6)))
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

        ``factor`` is metres per unit of the model; None while it is unknown. The world is the first
        camera with a known factor. While it is unknown again, the camera only rotates, and the
        covariance grows with ``max_speed``. ``segment`` is the clock segment of the stamp, from a
        `StampFilter`; without it the tracker decides by the stamps. Returns None for a frame that
        is skipped: one that is late or repeated, has a doubtful stamp, or has no contrast (a
        covered lens).
        """
        view = self._views.view(image, camera, stamp)
        if segment is None:
            segment = self._segment_of(stamp)
        elif segment == self._segment and self._started and stamp <= self._latest:
            segment = None
        if segment is None:
            self.skip_reason = "its stamp is not newer than that of the one before"
            return None
        small, contrast = thumbnail(view.frames.pixels()[0])
        if contrast < self.settings.min_contrast:
            self.skip_reason = "it has no contrast, as behind a covered lens"
            return None
        current = _Reference(view, small)
        jumped = self._started and segment == self._segment and stamp - self._latest > JUMP
        self._before_jump = None
        if jumped:
            self._before_jump = {**self.__dict__, "_standing": self._standing.copy()}
        known = segment == self._segment and _same_camera(camera, self._camera)
        if self._reference is None or not known:
            step = self._first_step(current, segment, known)
            self._camera, self._reference, self._segment = camera, current, segment
        else:
            step = self._step(self._reference, current, factor)
        if factor is not None:
            self._scaled, self._unscaled_since = True, None
        elif not self._scaled:
            self._set_origin()
        self._latest, self._continued = stamp, False
        return TrackedPose(
            stamp,
            self._T.copy(),
            self._covariance.copy(),
            self._velocity.copy(),
            **vars(step),
        )

    @property
    def _started(self) -> bool:
        return self._reference is not None or self._continued

    def _segment_of(self, stamp: int) -> int | None:
        """The segment of an unfiltered stamp; None while it may be wrong.

        A jump forward is undone when the next stamp is from before it. When some older stamps in a
        row grow, the clock was set.
        """
        if not self._started or stamp > self._latest:
            self._behind = []
            return self._segment
        if self._before_jump is not None and stamp > self._before_jump["_latest"]:
            self.__dict__.update(self._before_jump)
            return self._segment
        grows = bool(self._behind) and stamp > self._behind[-1]
        self._behind = [*self._behind, stamp] if grows else [stamp]
        return None if len(self._behind) < CONFIRMED else self._segment + 1

    def _first_step(self, current: _Reference, segment: int, known: bool) -> _Step:
        """The step to a frame without a measured motion."""
        latest, unknown = self._latest, np.eye(6) * self.settings.max_speed**2
        self._measured, self._behind = current.stamp, []
        self._standing.clear()
        if not self._started:
            return _Step("start", current.stamp, unknown)
        elapsed = (current.stamp - latest) / SECOND
        if segment != self._segment:
            elapsed = self.settings.clock_change_gap
            if self._unscaled_since is not None:
                self._unscaled_since += current.stamp - latest
            latest = current.stamp
        self.restarts += not known
        self._velocity = np.zeros(6)
        self._compose(np.eye(4), self._unknown_motion(elapsed))
        return _Step("gap" if known else "restart", latest, unknown)

    def _step(self, reference: _Reference, current: _Reference, factor: float | None) -> _Step:
        settings = self.settings
        elapsed = (current.stamp - self._latest) / SECOND
        image_motion = shift(reference.thumbnail, current.thumbnail)
        if image_motion < settings.standstill_threshold_px:
            self._standing.append((current.stamp, image_motion))
            self._velocity, self._measured = np.zeros(6), current.stamp
            noise = self._noise(np.eye(4)) / max(elapsed, _MIN_INTERVAL) ** 2
            return _Step("standstill", self._latest, noise)
        motion: Motion | None = None
        if elapsed <= settings.max_image_gap:
            motion = self.method.motion(reference.view, current.view)
        if motion is None or not motion.measured:
            self._reference = current
            self._standing.clear()
            step = self._cross_gap(elapsed, (current.stamp - self._measured) / SECOND)
            return replace(step, motion=motion)
        distance = float(np.linalg.norm(motion.T_earlier_later[:3, 3]))
        T_step, noise = self._in_metres(motion, 0.0 if factor is None else factor)
        fraction, since = self._latest_fraction(image_motion, reference)
        rate = fraction / max((current.stamp - since) / SECOND, _MIN_INTERVAL)
        self._reference = current
        self._standing.clear()
        velocity_noise = noise * rate**2
        if factor is None:
            noise = noise + self._unscaled_noise(current.stamp)
            velocity_noise[:3, :3] = np.eye(3) * settings.max_speed**2
        self._compose(T_step, noise)
        self._velocity, self._measured = twist_of(T_step) * rate, current.stamp
        return _Step("motion", reference.stamp, velocity_noise, distance, motion)

    def _in_metres(self, motion: Motion, factor: float) -> tuple[Matrix, Matrix]:
        """The step and its covariance with ``factor`` metres per unit of the model."""
        step = motion.T_earlier_later.copy()
        step[:3, 3] *= factor
        if motion.covariance is None:
            return step, self._noise(step)
        units = np.array([factor] * 3 + [1.0] * 3)
        return step, motion.covariance * np.outer(units, units)

    def _latest_fraction(self, image_motion: float, reference: _Reference) -> tuple[float, int]:
        """The fraction of a motion in its latest part, and the stamp at the start of that part.

        A slow camera has moved evenly since the reference, some images ago. A camera that stood has
        just started: its latest part has the second half of the image motion.
        """
        if not self._standing:
            return 1.0, reference.stamp
        stamps = np.array([reference.stamp, *(stamp for stamp, _ in self._standing)], np.int64)
        shifts = np.array([0.0, *(so_far for _, so_far in self._standing)])
        noise = shifts[1:].min() if len(shifts) > _MIN_STANDING else 0.0
        moved = np.sqrt(np.maximum(shifts**2 - noise**2, 0.0)) / np.sqrt(image_motion**2 - noise**2)
        halfway = (stamps[0] + self._latest) // 2
        if moved[stamps >= halfway][0] > _EVEN_MOTION / 2:
            return 1.0, reference.stamp
        before = int(np.flatnonzero(moved <= 0.5)[-1])
        return float(1 - moved[before]), int(stamps[before])

    def _unscaled_noise(self, stamp: int) -> Matrix:
        """The covariance of a step without scale: all steps may have the same direction."""
        if self._unscaled_since is None:
            self._unscaled_since = self._latest
        before, now = ((at - self._unscaled_since) / SECOND for at in (self._latest, stamp))
        variance = self.settings.max_speed**2 * (now**2 - before**2)
        return np.diag([variance] * 3 + [0.0] * 3)

    def _cross_gap(self, elapsed: float, since_measured: float) -> _Step:
        """Extrapolate the last velocity over a short gap; keep the pose over a long one.

        Several gaps in a row count as one; else an old velocity would be extrapolated for ever.
        """
        unknown = np.eye(6) * self.settings.max_speed**2
        if since_measured <= self.settings.max_extrapolation_time:
            motion = motion_of(self._velocity * elapsed)
            self._compose(motion, self._noise(motion) + self._unknown_motion(elapsed / 2))
            return _Step("bridge", self._latest, unknown / 4)
        self._velocity = np.zeros(6)
        self._compose(np.eye(4), self._unknown_motion(elapsed))
        return _Step("gap", self._latest, unknown)

    def _unknown_motion(self, elapsed: float) -> Matrix:
        """6x6 covariance of an unknown motion at up to ``max_speed`` for some seconds."""
        reach = self.settings.max_speed * min(elapsed, self.settings.max_gap_duration)
        return np.diag([reach**2] * 3 + [min(reach, np.pi) ** 2] * 3)

    def _noise(self, step: Matrix) -> Matrix:
        """6x6 covariance of a step in its start frame, where the method states none."""
        settings = self.settings
        moved, rotated = np.linalg.norm(step[:3, 3]), np.linalg.norm(twist_of(step)[3:])
        translation = (
            settings.translation_noise * moved + settings.translation_noise_per_radian * rotated
        )
        translation += settings.min_translation_noise
        rotation = settings.rotation_noise * rotated + settings.min_rotation_noise
        return np.diag([translation**2] * 3 + [rotation**2] * 3)

    def _compose(self, step: Matrix, noise: Matrix) -> None:
        """Compose a step, whose covariance is ``noise``."""
        self._covariance = chained_covariance(self._covariance, self._T, step, noise)
        self._T = self._T @ step


def _same_camera(one: PinholeCamera, other: PinholeCamera | None) -> bool:
    if one is other:
        return True
    if other is None or (one.height, one.width) != (other.height, other.width):
        return False
    # A changing focus or an updated calibration is the same camera.
    return bool(np.allclose(one.K, other.K, rtol=_SAME_CAMERA, atol=_SAME_CAMERA * one.width))
