"""A new method of motion is one file and one line: trackers, odometry and commands know it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.registry import METHODS, load_method
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.inference.odometry.visual_odometry import VisualOdometry
from monodepth_ros.zoo.weights import save_model

CAMERA = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
STEP = 100_000_000  # nanoseconds
TURN = np.array([0.1, 0.0, 0.2, 0.0, 0.05, 0.0])
# Translation along x and heading err together.
COVARIANCE = np.diag([4e-4, 1e-4, 9e-4, 1e-5, 2e-5, 1e-5])
COVARIANCE[0, 4] = COVARIANCE[4, 0] = 3e-5


class ToyMotion:
    """The same motion always; it counts how often it could go on from the view before."""

    networks = ("depth",)
    sees_grey = True

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.continued = self.begun = self.resets = 0
        self.lost = False
        self._last: View | None = None

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        return "it is only a toy" if engine.card.name == "serious" else None

    def motion(self, earlier: View, later: View) -> Motion:
        assert earlier.grey.shape == later.grey.shape == (64, 96)
        assert later.camera is CAMERA
        assert later.inverse_depth() is later.inverse_depth()
        self.continued += earlier is self._last
        self.begun += earlier is not self._last
        self._last = later
        if self.lost:
            return Motion(np.eye(4), "toy", 1e-9 * COVARIANCE, 0, fallback="it is dark")
        return Motion(motion_of(TURN), "toy", COVARIANCE, inliers=7)

    def reset(self) -> None:
        self._last, self.resets = None, self.resets + 1


@pytest.fixture
def toy() -> Iterator[None]:
    METHODS["toy"] = f"{__name__}:ToyMotion"
    yield
    del METHODS["toy"]


@pytest.fixture
def tracker(toy: None, model: Any) -> CameraTracker:
    return CameraTracker(load_method("toy", model, "cpu"))


def textures(count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (count, 16, 24, 3))
    return list(np.kron(coarse, np.ones((1, 4, 4, 1))).astype(np.uint8))


def track(tracker: CameraTracker, stamps: list[int], factor: float | None = 1.0) -> list[Any]:
    images = textures(len(stamps))
    return [tracker.add(i, CAMERA, t, factor) for i, t in zip(images, stamps, strict=True)]


def test_it_is_loaded_by_its_name(
    toy: None, model: Any, tmp_path: Path, card: Any, states: Any
) -> None:
    assert isinstance(load_method("toy", model, "cpu"), ToyMotion)
    with pytest.raises(UserError, match=f"method 'flow': use {', '.join(METHODS)}"):
        load_method("flow", model, "cpu")
    save_model(tmp_path / "serious", card.model_copy(update={"name": "serious"}), states)
    instead = f"use method {' or '.join(m for m in METHODS if m != 'toy')}, or a model"
    with pytest.raises(UserError, match=f"method toy: it is only a toy: {instead}"):
        load_method("toy", tmp_path / "serious", "cpu")


def test_visual_odometry_chains_it(toy: None, model: Any) -> None:
    odometry = VisualOdometry(model, "cpu", method="toy")
    poses = [odometry.add(image, CAMERA) for image in textures(4)]
    np.testing.assert_allclose(poses[3], np.linalg.matrix_power(motion_of(TURN), 3), atol=1e-12)


def test_its_covariance_is_the_trackers(tracker: CameraTracker) -> None:
    """A factor makes metres of its translations; rotations have none."""
    units = np.diag([3.0] * 3 + [1.0] * 3)
    poses = track(tracker, [0, STEP], factor=3.0)
    np.testing.assert_allclose(poses[1].covariance, units @ COVARIANCE @ units, rtol=1e-12)
    np.testing.assert_allclose(
        poses[1].velocity_covariance, 100 * units @ COVARIANCE @ units, rtol=1e-12
    )
    np.testing.assert_allclose(poses[1].velocity, 10 * TURN * [3, 3, 3, 1, 1, 1], rtol=1e-9)
    assert poses[1].motion.inliers == 7
    # What the tracker was given is not scaled.
    np.testing.assert_array_equal(poses[1].motion.T_earlier_later, motion_of(TURN))
    assert poses[1].distance == pytest.approx(np.linalg.norm(TURN[:3]))


def test_covariances_of_steps_add_up_along_the_lever_arm(tracker: CameraTracker) -> None:
    """Against ten thousand chains with errors of that covariance."""
    expected = track(tracker, [0, STEP, 2 * STEP, 3 * STEP])[-1].covariance
    generator, step, ends = np.random.default_rng(0), motion_of(TURN), []
    for _ in range(10_000):
        T = np.eye(4)
        for _ in range(3):
            error = generator.multivariate_normal(np.zeros(6), COVARIANCE)
            noisy = step.copy()
            noisy[:3, :3] = motion_of(error)[:3, :3] @ step[:3, :3]
            noisy[:3, 3] += error[:3]
            T = T @ noisy
        ends.append(T[:3, 3])
    np.testing.assert_allclose(np.cov(np.array(ends).T), expected[:3, :3], atol=1.5e-4)


def test_while_metres_are_unknown_rotation_keeps_its_covariance(tracker: CameraTracker) -> None:
    known = track(tracker, [0, STEP], factor=2.0)[1]
    unknown = track(tracker, [2 * STEP], factor=None)[0]
    np.testing.assert_array_equal(unknown.T_world_camera[:3, 3], known.T_world_camera[:3, 3])
    turned = unknown.covariance[3:, 3:] - known.covariance[3:, 3:]
    R = known.T_world_camera[:3, :3]
    np.testing.assert_allclose(turned, R @ COVARIANCE[3:, 3:] @ R.T, atol=1e-12)
    assert unknown.covariance[0, 0] > 0.03  # a tenth of a second at 2 m/s


def test_it_goes_on_from_the_view_before(tracker: CameraTracker) -> None:
    track(tracker, [k * STEP for k in range(5)])
    assert (tracker.method.begun, tracker.method.continued) == (1, 3)


def test_it_goes_on_after_a_standstill(tracker: CameraTracker) -> None:
    images = textures(3)
    shown = [images[0], images[1], images[1], images[1], images[2]]
    events = [tracker.add(i, CAMERA, k * STEP).event for k, i in enumerate(shown)]
    assert events == ["start", "motion", "standstill", "standstill", "motion"]
    assert (tracker.method.begun, tracker.method.continued) == (1, 1)


@pytest.mark.parametrize(("pause", "event"), [(10, "bridge"), (100, "gap")])
def test_it_begins_anew_after_a_pause(tracker: CameraTracker, pause: int, event: str) -> None:
    stamps = [0, STEP, 2 * STEP, (2 + pause) * STEP, (3 + pause) * STEP]
    assert [pose.event for pose in track(tracker, stamps)][3:] == [event, "motion"]
    assert (tracker.method.begun, tracker.method.continued) == (2, 1)


def test_it_begins_anew_when_the_clock_was_set(tracker: CameraTracker) -> None:
    images = textures(4)
    for k, (segment, stamp) in enumerate([(0, 50), (0, 51), (1, 3), (1, 4)]):
        last = tracker.add(images[k], CAMERA, stamp * STEP, segment=segment)
    assert last.event == "motion" and tracker.restarts == 1
    assert (tracker.method.begun, tracker.method.continued) == (2, 0)


def test_a_wild_stamp_does_not_break_it_off(tracker: CameraTracker) -> None:
    track(tracker, [k * STEP for k in (0, 1, 2, 36_000, 3, 4)])
    assert (tracker.method.begun, tracker.method.continued) == (1, 3)


def test_where_it_can_only_guess_the_tracker_goes_on_at_the_last_velocity_for_a_while(
    tracker: CameraTracker,
) -> None:
    """As over a gap: two seconds at the last velocity, then the pose stays; never too sure."""
    before = track(tracker, [0, STEP])[-1]
    tracker.method.lost = True
    poses = track(tracker, [k * STEP for k in range(2, 32)])
    assert [pose.event for pose in poses] == ["bridge"] * 20 + ["gap"] * 10
    assert {pose.motion.fallback for pose in poses} == {"it is dark"}
    assert tracker.method.begun == 1 and {pose.distance for pose in poses} == {0.0}
    expected = before.T_world_camera @ np.linalg.matrix_power(motion_of(TURN), 20)
    np.testing.assert_allclose(poses[19].T_world_camera, expected, atol=1e-9)
    np.testing.assert_array_equal(poses[29].T_world_camera, poses[19].T_world_camera)
    grown = poses[0].covariance[0, 0] - before.covariance[0, 0]
    assert grown > 0.1**2  # half of a tenth of a second at 2 m/s
    assert poses[29].covariance[0, 0] - poses[28].covariance[0, 0] > 0.2**2
    tracker.method.lost = False
    assert track(tracker, [32 * STEP])[0].event == "motion"


def test_reset_forgets_its_views(tracker: CameraTracker) -> None:
    resets = tracker.method.resets
    tracker.reset()
    assert tracker.method.resets == resets + 1


def test_another_models_method_begins_anew_from_the_same_frame(
    tracker: CameraTracker, model: Any
) -> None:
    before = track(tracker, [0, STEP, 2 * STEP])[-1]
    other = CameraTracker(load_method("toy", model, "cpu"))
    other.continue_from(tracker)
    after = other.add(textures(4)[3], CAMERA, 3 * STEP)
    assert (after.event, after.since) == ("motion", 2 * STEP)
    np.testing.assert_allclose(after.T_world_camera, before.T_world_camera @ motion_of(TURN))
    assert (other.method.begun, other.method.continued) == (1, 0)


def test_it_begins_with_a_gap_after_a_method_that_saw_no_grey_images(toy: None, model: Any) -> None:
    former = CameraTracker(load_method("network", model, "cpu"))
    before = track(former, [0, STEP])[-1]
    other = CameraTracker(load_method("toy", model, "cpu"))
    other.continue_from(former)
    after = track(other, [2 * STEP, 3 * STEP])
    assert [pose.event for pose in after] == ["gap", "motion"]
    np.testing.assert_array_equal(after[0].T_world_camera, before.T_world_camera)
