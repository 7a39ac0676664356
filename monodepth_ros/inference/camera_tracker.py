"""A live camera's pose: the pose network's motions, with standstill, gaps and uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.motion_estimator import MotionEstimator
from monodepth_ros.inference.network_input import check_frame

Event = Literal["start", "motion", "standstill", "bridge", "gap"]
Matrix = NDArray[np.float64]
_SECOND = 1_000_000_000  # nanoseconds
_SAME_CAMERA = 0.01  # of its focal length and its size


@dataclass(frozen=True)
class TrackerSettings:
    """What a motion may be, and how far it is trusted.

    Noise is the standard deviation of a step: a share of what was moved, a share of how much was
    turned, as a turn looks much like a sideways motion, and what is left when hardly anything
    moves. The shares are measured, see docs/odometry.md.
    """

    standstill: float = 0.25  # network pixels: what moves the image less is no motion
    longest_step: float = 0.5  # seconds; the network has not learnt motions over longer gaps
    longest_bridge: float = 2.0  # seconds that a velocity is believed after it was measured
    least_contrast: float = 0.01  # standard deviation of [0, 1] below which an image tells nothing
    late: float = 1.0  # seconds: an older stamp is a late frame, one older still another clock
    translation_noise: float = 0.3  # of the translation
    rotation_noise: float = 0.25  # of the rotation
    turning_noise: float = 0.5  # metres for each radian turned
    translation_floor: float = 0.005  # metres
    rotation_floor: float = 0.005  # radians
    fastest: float = 2.0  # m/s, and rad/s: how far a gap can have carried the camera


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

    image: Tensor
    outline: Tensor
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
    is bridged by the last velocity or declared a gap, with a covariance that says so.
    """

    def __init__(self, estimator: MotionEstimator, settings: TrackerSettings | None = None) -> None:
        self.estimator = estimator
        self.settings = settings or TrackerSettings()
        self.restarts = 0
        self.passed_over = ""  # why the last frame that gave no pose did not
        self.reset()

    def reset(self) -> None:
        """Start anew: the next frame is the new world."""
        self._reference: _Reference | None = None
        self._camera: PinholeCamera | None = None
        self._latest = 0
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
        frame. Otherwise the motion up to the first frame here is unknown, as in a gap.
        """
        if former._reference is None and not former._continued:
            return
        for name in ("_camera", "_latest", "_measured", "_velocity", "_scaled", "_unscaled_since"):
            setattr(self, name, getattr(former, name))
        self._T, self._covariance = former._T.copy(), former._covariance.copy()
        self.restarts = former.restarts
        here, there = self.estimator, former.estimator
        same_input = (here.size, here.engine.device) == (there.size, there.engine.device)
        self._reference = former._reference if same_input else None
        self._continued = True

    def add(
        self,
        rgb: NDArray[np.uint8],
        camera: PinholeCamera,
        stamp: int,
        factor: float | None = 1.0,
    ) -> TrackedPose | None:
        """The pose after the frame ``rgb`` (uint8 HxWx3), taken at ``stamp`` nanoseconds.

        ``factor`` makes metres of the model's unit; with None they are not known. The world is the
        first camera at which they are. Later the camera turns in place then, with a covariance that
        grows by how far it can have come. None is returned for a frame that came late or twice, and
        for one without contrast, as of a covered lens: it is as if it had not come. A stamp far
        back, or another camera, starts anew.
        """
        check_frame(rgb, camera)
        if self._reference is not None or self._continued:
            behind = (self._latest - stamp) / _SECOND
            if 0 <= behind < self.settings.late:
                self.passed_over = "its stamp is not newer than that of the one before"
                return None
            if behind >= self.settings.late or not _same_camera(camera, self._camera):
                self.restarts += 1
                self.reset()
        image = self.estimator.prepared(rgb)
        outline, contrast = _outline(image)
        if contrast < self.settings.least_contrast:
            self.passed_over = "it has no contrast, as behind a covered lens"
            return None
        current = _Reference(image, outline, stamp)
        if self._reference is None:
            self._camera, self._reference, self._measured = camera, current, stamp
            step = self._first_step(stamp)
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

    def _first_step(self, stamp: int) -> _Step:
        """How fast it goes will be known after the next image."""
        possible = np.eye(6) * self.settings.fastest**2
        if not self._continued:
            return _Step("start", stamp, velocity_covariance=possible)
        elapsed = (stamp - self._latest) / _SECOND
        self._velocity = np.zeros(6)
        self._move(np.eye(4), possible * elapsed**2)
        return _Step("gap", self._latest, velocity_covariance=possible)

    def _step(self, reference: _Reference, current: _Reference, factor: float | None) -> _Step:
        settings = self.settings
        elapsed = (current.stamp - self._latest) / _SECOND
        if _shift(reference.outline, current.outline) < settings.standstill:
            self._velocity, self._measured = np.zeros(6), current.stamp
            noise = self._noise(np.eye(4)) / elapsed**2
            return _Step("standstill", self._latest, velocity_covariance=noise)
        if elapsed > settings.longest_step:
            self._reference = current
            return self._over_a_gap(elapsed, (current.stamp - self._measured) / _SECOND)
        motion = self.estimator.motion(reference.image, current.image, self._camera)
        distance = float(np.linalg.norm(motion[:3, 3]))
        motion[:3, 3] *= 0.0 if factor is None else factor
        # A creeping camera moves on from an older frame; one that stood has only just begun to.
        creeping = (current.stamp - reference.stamp) / _SECOND
        duration = creeping if creeping <= settings.longest_step else elapsed
        self._reference = current
        noise = self._noise(motion)
        velocity_noise = noise / duration**2
        if factor is None:
            noise = noise + self._unscaled_noise(current.stamp)
            velocity_noise[:3, :3] = np.eye(3) * settings.fastest**2
        self._move(motion, noise)
        self._velocity, self._measured = twist_of(motion) / duration, current.stamp
        return _Step("motion", reference.stamp, distance, velocity_noise)

    def _unscaled_noise(self, stamp: int) -> Matrix:
        """What a step adds while metres are not known: all of them may have gone one way."""
        if self._unscaled_since is None:
            self._unscaled_since = self._latest
        before, now = ((at - self._unscaled_since) / _SECOND for at in (self._latest, stamp))
        carried = self.settings.fastest**2 * (now**2 - before**2)
        return np.diag([carried] * 3 + [0.0] * 3)

    def _over_a_gap(self, elapsed: float, since_measured: float) -> _Step:
        """Go on as before through a short gap; stay, and say so, in a long one.

        Several gaps in a row count as one, or an old velocity would carry the robot on for ever.
        """
        possible = np.eye(6) * self.settings.fastest**2
        if since_measured <= self.settings.longest_bridge:
            motion = _motion(self._velocity * elapsed)
            self._move(motion, self._noise(motion) + possible * (elapsed / 2) ** 2)
            return _Step("bridge", self._latest, velocity_covariance=possible / 4)
        self._velocity = np.zeros(6)
        self._move(np.eye(4), possible * elapsed**2)
        return _Step("gap", self._latest, velocity_covariance=possible)

    def _noise(self, step: Matrix) -> Matrix:
        """6x6 covariance of a step, in the frame that it starts from."""
        settings = self.settings
        moved, turned = np.linalg.norm(step[:3, 3]), np.linalg.norm(twist_of(step)[3:])
        translation = settings.translation_noise * moved + settings.turning_noise * turned
        translation += settings.translation_floor
        rotation = settings.rotation_noise * turned + settings.rotation_floor
        return np.diag([translation**2] * 3 + [rotation**2] * 3)

    def _move(self, step: Matrix, noise: Matrix) -> None:
        """Chain a step, and carry the covariance along.

        An error of the heading swings what comes after it, as if on an arm as long as the step.
        """
        R = self._T[:3, :3]
        swung = carried_covariance(self._covariance, np.eye(3), R @ step[:3, 3])
        self._covariance = swung + carried_covariance(noise, R, np.zeros(3))
        self._T = self._T @ step


def carried_covariance(covariance: Matrix, R: Matrix, arm: Matrix) -> Matrix:
    """A 6x6 covariance of position and rotation turned by ``R``, then seen ``arm`` (3,) away.

    To first order an error of the rotation moves the far end of the arm by their cross product.
    """
    carry = np.eye(6)
    carry[:3, 3:] = -se3.skew(torch.from_numpy(arm)).numpy()
    carry = carry @ np.kron(np.eye(2), R)
    return np.asarray(carry @ covariance @ carry.T)


_POOL = 4  # network pixels along the side of a cell of an outline


def _outline(image: Tensor) -> tuple[Tensor, float]:
    """The grey image ``(H/4, W/4)`` of ``(1, 3, H, W)``, and its contrast.

    Noise averages out in the cells, and neither the mean nor the contrast of the image matters, so
    that an automatic exposure does not look like a motion.
    """
    grey = F.avg_pool2d(image.mean(1, keepdim=True), _POOL)[0, 0]
    contrast = grey.std()
    return (grey - grey.mean()) / contrast.clamp(min=1e-6), float(contrast)


def _shift(one: Tensor, other: Tensor) -> float:
    """About how many network pixels the image has moved: the difference over the gradient."""
    gradient = one.diff(dim=0).abs().mean() + one.diff(dim=1).abs().mean()
    shift = (other - one).abs().mean() / (gradient / 2).clamp(min=1e-6)
    return float(shift) * _POOL


def _same_camera(one: PinholeCamera, other: PinholeCamera | None) -> bool:
    if one is other:
        return True
    if other is None or (one.height, one.width) != (other.height, other.width):
        return False
    # A focus that moves, or a calibration that goes on, is no other camera.
    return bool(np.allclose(one.K, other.K, rtol=_SAME_CAMERA, atol=_SAME_CAMERA * one.width))


def twist_of(motion: Matrix) -> NDArray[np.float64]:
    """Translation and axis-angle of a 4x4 motion."""
    turn = Rotation.from_matrix(motion[:3, :3]).as_rotvec()
    return np.concatenate([motion[:3, 3], turn])


def _motion(twist: NDArray[np.float64]) -> Matrix:
    motion = np.eye(4)
    motion[:3, 3] = twist[:3]
    motion[:3, :3] = Rotation.from_rotvec(twist[3:]).as_matrix()
    return motion
