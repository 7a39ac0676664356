"""Metres from the known motion of a camera, with points that are tracked exactly but for noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from point_scenes import CAMERA, scene

from monodepth_ros.geometry.lens import project
from monodepth_ros.geometry.rigid_motion import base_from_camera, inverse, motion_of
from monodepth_ros.inference.points.tracks import Tracks
from monodepth_ros.inference.scale.from_motion import MotionScale
from monodepth_ros.stamps import SECOND

STEP = SECOND // 10
Array = np.ndarray
Pose = Callable[[int], Array]
WORLD = scene("general", 300)  # (N, 3), 2 to 8 m before the first image


class Drawn:
    """Finds the points of the world as a tracker would, with noise, and draws inverse depths."""

    def __init__(self, noise: float) -> None:
        self.noise, self.generator = noise, np.random.default_rng(3)
        self.points = WORLD  # in the camera of the next image

    def reset(self) -> None:
        pass

    def add(self, grey: object, valid: object = None) -> Tracks:
        pixels = project(CAMERA, self.points)
        pixels = pixels + self.generator.normal(0, self.noise, pixels.shape)
        inside = (self.points[:, 2] > 0.1) & (pixels > 7).all(1) & (pixels < [632, 472]).all(1)
        return Tracks(np.flatnonzero(inside), pixels[inside], np.zeros(inside.sum(), np.int64))

    def image_of(self, values: Array) -> Array:
        """A map that has the values (N,) around the points."""
        drawn = np.ones((480, 640), np.float32)
        for (x, y), value in zip(project(CAMERA, self.points), values, strict=True):
            if 7 < x < 632 and 7 < y < 472:
                x, y = round(x), round(y)
                drawn[y - 3 : y + 4, x - 3 : x + 4] = value
        return drawn


def drive(
    pose: Pose,
    known: Pose | None = None,
    images: int = 15,
    network: Callable[[Array], Array] = lambda inverse_depth: 2 * inverse_depth,
    moving: Callable[[int, Array], Array] = lambda k, points: points,
    with_shift: bool = False,
    mounting: Array | None = None,
    variance: float = 0.0,
    each: Callable[[MotionScale], None] = lambda scale: None,
) -> MotionScale:
    """``pose`` is T_world_camera of image k, ``known`` T_world_body as the odometry has it.

    ``network`` makes what is predicted of true inverse depths; errors of 10 % are added.
    """
    scale, tracker = MotionScale(with_shift), Drawn(noise=0.3)
    scale._tracker = tracker  # type: ignore[assignment]
    error = np.exp(np.random.default_rng(1).normal(0, 0.1, len(WORLD)))
    T_body_camera = np.eye(4) if mounting is None else mounting
    for k in range(images):
        T = inverse(pose(k))
        tracker.points = moving(k, WORLD) @ T[:3, :3].T + T[:3, 3]
        told = pose(k) @ inverse(T_body_camera) if known is None else known(k)
        scale.motion.add(k * STEP, told, variance=variance * k)
        predicted = tracker.image_of(network(error / tracker.points[:, 2]))
        scale.add(np.zeros((480, 640), np.uint8), CAMERA, k * STEP, T_body_camera, predicted)
        each(scale)
    return scale


def sideways(k: int) -> Array:
    return motion_of(np.array([0.05 * k, 0, 0, 0, 0.01 * k, 0]))


def forward(k: int) -> Array:
    return motion_of(np.array([0.01 * k, 0, 0.15 * k, 0.003 * k, 0, 0]))


@pytest.mark.parametrize("pose", [sideways, forward])
def test_the_factor_of_a_model_of_unknown_scale(pose: Pose) -> None:
    scale = drive(pose).scale
    assert scale is not None and scale.label == "metric" and scale.shift == 0
    assert scale.factor == pytest.approx(2.0, rel=0.03)
    deviation = float(np.sqrt(scale.covariance[0, 0]))
    assert 0.005 < deviation < 0.15


def test_scale_and_shift_of_a_model_that_leaves_both_open() -> None:
    def network(inverse_depth: Array) -> Array:
        return (inverse_depth - 0.2) / 0.5

    scale = drive(sideways, network=network, with_shift=True).scale
    assert scale is not None
    assert scale.factor == pytest.approx(2.0, rel=0.1)
    assert scale.shift == pytest.approx(0.2, abs=0.03)


def test_the_camera_is_where_it_is_mounted() -> None:
    mounting = base_from_camera(np.array([0.5, 0.1, 1.0]), np.array([0.0, 0.1, 0.3]))
    turning = drive(
        lambda k: motion_of(np.array([0.05 * k, 0, 0, 0, 0.05 * k, 0])), mounting=mounting
    )
    assert turning.scale is not None and turning.scale.factor == pytest.approx(2.0, rel=0.03)


def never(scale: MotionScale) -> None:
    assert scale.scale is None


def test_standing_still_tells_nothing() -> None:
    assert "stands still" in drive(lambda k: np.eye(4), each=never).missing


def test_turning_on_the_spot_tells_nothing() -> None:
    def turn(k: int) -> Array:
        return motion_of(np.array([0, 0, 0, 0, 0.02 * k, 0]))

    assert "turns on the spot" in drive(turn, each=never).missing


def test_wheels_that_slip_tell_nothing() -> None:
    """The odometry drives on while the images stand still, or turn."""
    for true in (lambda k: np.eye(4), lambda k: motion_of(np.array([0, 0, 0, 0, 0.02 * k, 0]))):

        def known(k: int, true: Pose = true) -> Array:
            return motion_of(np.array([0.05 * k, 0, 0, *(0, 0, 0)])) @ true(k)

        drive(true, known=known, each=never)


def test_little_parallax_is_told() -> None:
    def creeping(k: int) -> Array:
        return motion_of(np.array([0.001 * k, 0, 0, 0, 0, 0]))

    def far(inverse_depth: Array) -> Array:
        return 2 * inverse_depth

    told = drive(creeping, images=12, network=far, each=never).missing
    assert "parallax" in told or "stands still" in told


def test_an_odometry_that_knows_little_is_not_believed() -> None:
    told = drive(sideways, variance=0.01, each=never).missing
    assert "covariance" in told


def test_without_odometry_it_says_so() -> None:
    scale = MotionScale(False)
    scale.add(np.zeros((480, 640), np.uint8), CAMERA, 0, np.eye(4), np.ones((2, 2), np.float32))
    assert scale.scale is None and "known motion" in scale.missing


@pytest.mark.parametrize(
    "speed", [(0.0, 0.03, 0.0), (-0.05, 0.0, 0.0), (0.03, 0.0, 0.0), (0, 0, 0.1)]
)
def test_half_of_the_image_moving_gives_no_wrong_factor(speed: tuple[float, ...]) -> None:
    """Also along the lines on which the camera's own motion would take the points."""

    def moving(k: int, points: Array) -> Array:
        moved = points.copy()
        moved[points[:, 0] < 0] += np.array(speed) * k
        return moved

    def right_or_unknown(scale: MotionScale) -> None:
        if scale.scale is not None:
            assert scale.scale.factor == pytest.approx(2.0, rel=0.1)

    drive(sideways, moving=moving, each=right_or_unknown)


def test_a_jump_of_the_clock_and_another_camera_begin_anew() -> None:
    scale = drive(sideways)
    assert scale.scale is not None
    scale.add(np.zeros((480, 640), np.uint8), CAMERA, -SECOND, np.eye(4), None)
    assert scale.scale is None


def test_an_image_waits_for_its_motion() -> None:
    scale = MotionScale(False)
    scale.motion.add(0, np.eye(4))
    scale.add(np.zeros((480, 640), np.uint8), CAMERA, STEP, np.eye(4), np.ones((2, 2), np.float32))
    assert scale.missing == "no image with a known motion"
    scale.motion.add(2 * STEP, sideways(2))
    scale.settle()
    assert scale.missing == "the first image"
