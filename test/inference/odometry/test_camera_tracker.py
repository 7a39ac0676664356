"""The tracker on frames that come as they should, late, twice and never."""

from copy import copy

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import carried_covariance
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings

CAMERA = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
MS = 1_000_000
GENERATOR = np.random.default_rng(0)
STEP = 100 * MS


def texture():
    coarse = GENERATOR.integers(0, 256, (16, 24, 3))
    return np.kron(coarse, np.ones((4, 4, 1))).astype(np.uint8)


@pytest.fixture
def tracker(model, monkeypatch):
    """The network always says: a tenth of a unit forward, with a small turn to the right."""
    method = load_method("network", model, "cpu")
    motion = np.array([[0.0, -0.05, 0.0, 0.0, 0.0, -0.1]], np.float32)
    monkeypatch.setattr(method.engine, "motion", lambda first, second: motion)
    return CameraTracker(method)


def events(tracker, stamps, images=None):
    images = images or [texture() for _ in stamps]
    return [tracker.add(i, CAMERA, t) for i, t in zip(images, stamps, strict=True)]


def test_motions_are_chained_with_their_factor(tracker):
    poses = [tracker.add(texture(), CAMERA, k * STEP, factor=3.0) for k in range(4)]
    assert [p.event for p in poses] == ["start", "motion", "motion", "motion"]
    turn = Rotation.from_rotvec([0, 0.05, 0]).as_matrix()
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = turn, turn @ [0, 0, 0.3]
    np.testing.assert_allclose(poses[3].T_world_camera, np.linalg.matrix_power(step, 3), atol=1e-7)
    np.testing.assert_allclose(poses[3].velocity[3:], [0, 0.5, 0], atol=1e-6)
    assert np.linalg.norm(poses[3].velocity[:3]) == pytest.approx(3.0, rel=1e-6)
    assert poses[3].distance == pytest.approx(0.1, rel=1e-6)
    assert (poses[3].since, poses[3].stamp) == (2 * STEP, 3 * STEP)


def test_a_camera_that_stands_stays_where_it_is_whatever_the_network_says(tracker):
    image = texture()
    noisy = [
        np.clip(image + GENERATOR.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
        for _ in range(20)
    ]
    poses = events(tracker, range(0, 20 * STEP, STEP), noisy)
    assert {p.event for p in poses[1:]} == {"standstill"}
    np.testing.assert_array_equal(poses[-1].T_world_camera, np.eye(4))
    assert not poses[-1].velocity.any() and not poses[-1].covariance.any()


def test_an_exposure_that_changes_is_no_motion(tracker):
    image = texture() // 2
    darker = (0.8 * image).astype(np.uint8)
    poses = events(tracker, [0, STEP, 2 * STEP], [image, image + 30, darker])
    assert [pose.event for pose in poses[1:]] == ["standstill", "standstill"]


def test_a_covered_lens_tells_nothing(tracker):
    events(tracker, [0, STEP])
    dark = GENERATOR.integers(0, 6, (64, 96, 3), dtype=np.uint8)
    for k in range(2, 40):
        assert tracker.add(dark, CAMERA, k * STEP) is None
    assert events(tracker, [40 * STEP])[0].event == "gap"


def test_gaps_in_a_row_do_not_carry_the_camera_on_for_ever(tracker):
    before = events(tracker, [0, STEP])[1]
    after = events(tracker, [STEP + k * 1_000 * MS for k in range(1, 30)])
    assert [pose.event for pose in after[:3]] == ["bridge", "bridge", "gap"]
    travelled = after[-1].T_world_camera[:3, 3] - before.T_world_camera[:3, 3]
    assert np.linalg.norm(travelled) < 2.5


def test_a_camera_that_stood_through_a_gap_has_stood(tracker):
    image = texture()
    poses = events(tracker, [0, STEP, STEP + 1_500 * MS], [texture(), image, image])
    assert poses[2].event == "standstill"


def test_creeping_adds_up_until_it_is_a_motion(tracker):
    """Each frame moves the image by less than what counts; none of it may be lost."""
    wide = np.kron(GENERATOR.integers(0, 256, (16, 60, 3)), np.ones((40, 40, 1))).astype(np.float32)
    shrunk = [
        wide[:640, k : k + 960].reshape(64, 10, 96, 10, 3).mean((1, 3)).astype(np.uint8)
        for k in range(0, 12)  # a tenth of a pixel a frame
    ]
    found = events(tracker, range(0, 12 * STEP, STEP), shrunk)
    assert [p.event for p in found[:2]] == ["start", "standstill"]
    first = next(p for p in found if p.event == "motion")
    assert (first.since, first.stamp > 2 * STEP) == (0, True)


def test_a_frame_that_comes_twice_or_late_is_passed_over(tracker):
    first = events(tracker, [0, STEP])
    again = events(tracker, [STEP, STEP // 2])
    assert again == [None, None]
    following = events(tracker, [2 * STEP])[0]
    assert following.event == "motion" and first[1].event == "motion"
    assert tracker.restarts == 0


def test_a_wild_stamp_leaves_no_trace(tracker):
    """Nobody has judged these stamps: what comes after the wild one is as if it had not come."""
    stamps = [100_000 * MS + k * STEP for k in range(12)]
    images = [texture() for _ in stamps]
    expected = events(tracker, stamps, images)[-1]
    for wild in (0, 3_700_000 * MS, 50 * MS, stamps[5], 2**62):
        tracker.reset()
        events(tracker, stamps[:6], images[:6])
        tracker.add(texture(), CAMERA, wild)
        last = events(tracker, stamps[6:], images[6:])[-1]
        assert tracker.restarts == 0
        np.testing.assert_array_equal(last.T_world_camera, expected.T_world_camera)
        np.testing.assert_array_equal(last.covariance, expected.covariance)
        np.testing.assert_array_equal(last.velocity, expected.velocity)


def test_a_clock_that_was_set_back_goes_on_from_the_same_pose(tracker):
    before = events(tracker, [10_000 * MS, 10_100 * MS])[1]
    pose = events(tracker, [50 * MS, 150 * MS, 250 * MS])
    assert pose[:2] == [None, None]
    assert pose[2].event == "restart" and tracker.restarts == 1
    np.testing.assert_array_equal(pose[2].T_world_camera, before.T_world_camera)
    # Two seconds at 2 m/s may have been lost; of the heading, half a turn.
    grown = np.diag(pose[2].covariance - before.covariance)
    np.testing.assert_allclose(grown, [16.0] * 3 + [np.pi**2] * 3)
    after = events(tracker, [350 * MS])[0]
    assert after.event == "motion" and (after.since, after.stamp) == (250 * MS, 350 * MS)


def test_judged_stamps_say_at_once_that_the_clock_was_set(tracker):
    before = [tracker.add(texture(), CAMERA, 10_000 * MS + k * STEP, segment=0) for k in range(2)]
    pose = tracker.add(texture(), CAMERA, 50 * MS, segment=1)
    assert pose.event == "restart" and tracker.restarts == 1
    np.testing.assert_array_equal(pose.T_world_camera, before[1].T_world_camera)
    assert tracker.add(texture(), CAMERA, 50 * MS, segment=1) is None
    assert tracker.add(texture(), CAMERA, 150 * MS, segment=1).event == "motion"


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=6))
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_the_stamps_the_covariance_stays_bounded(tracker, wild):
    """Each message may cost a gap of a minute at 2 m/s, and that twice over."""
    tracker.reset()
    stamps = [10_000 * MS + k * STEP for k in range(4)]
    events(tracker, stamps)
    for stamp in wild:
        pose = tracker.add(texture(), CAMERA, stamp)
        if pose is not None:
            assert np.isfinite(pose.covariance).all() and np.isfinite(pose.velocity).all()
            assert np.diag(pose.covariance).max() <= 2 * 120.0**2 * (len(wild) + 4)
            np.testing.assert_allclose(pose.T_world_camera[3], [0, 0, 0, 1])


def test_another_camera_goes_on_from_the_same_pose(tracker):
    before = events(tracker, [0, STEP])[1]
    focused = PinholeCamera.from_focal_length(96, 64, 80.3, 80.3, 48.1, 32.0)
    assert tracker.add(texture(), focused, 2 * STEP).event == "motion"
    other = PinholeCamera.from_focal_length(96, 64, 90.0, 90.0, 48.0, 32.0)
    changed = tracker.add(texture(), other, 2 * STEP + 1)
    assert changed.event == "restart"
    assert np.linalg.norm(changed.T_world_camera[:3, 3]) > before.distance
    larger = PinholeCamera.from_focal_length(192, 128, 160.0, 160.0, 96.0, 64.0)
    assert tracker.add(
        np.kron(texture(), np.ones((2, 2, 1), np.uint8)), larger, 3 * STEP
    ).event == ("restart")
    assert tracker.restarts == 2


def test_another_camera_of_the_robot_sits_elsewhere_on_it(tracker):
    before = events(tracker, [0, STEP])[1]
    T_former_camera = np.eye(4)
    T_former_camera[:3, 3] = 0.5, 0.0, -1.0
    T_former_camera[:3, :3] = Rotation.from_rotvec([0, np.pi, 0]).as_matrix()
    tracker.switch_camera(T_former_camera)
    after, moved = events(tracker, [6 * STEP, 7 * STEP])
    assert (after.event, moved.event) == ("restart", "motion") and tracker.restarts == 1
    np.testing.assert_allclose(after.T_world_camera, before.T_world_camera @ T_former_camera)
    arm = before.T_world_camera[:3, :3] @ T_former_camera[:3, 3]
    swung = carried_covariance(before.covariance, np.eye(3), arm)
    missed = after.covariance - swung  # half a second at 2 m/s and rad/s
    np.testing.assert_allclose(missed, np.eye(6), atol=1e-9)
    assert not after.velocity.any()


def test_another_camera_before_any_image_is_the_first(tracker):
    tracker.switch_camera(np.diag([-1.0, 1.0, -1.0, 1.0]))
    assert events(tracker, [0])[0].event == "start"


def test_a_short_gap_is_bridged_by_the_last_velocity(tracker):
    before = events(tracker, [0, STEP])[1]
    after = events(tracker, [11 * STEP])[0]
    assert after.event == "bridge" and after.distance == 0
    travelled = np.linalg.norm(after.T_world_camera[:3, 3] - before.T_world_camera[:3, 3])
    assert travelled == pytest.approx(1.0, rel=1e-6)
    assert np.sqrt(after.covariance[0, 0]) > 0.9


def test_a_long_gap_is_declared(tracker):
    before = events(tracker, [0, STEP])[1]
    after = events(tracker, [101 * STEP])[0]
    assert after.event == "gap" and not after.velocity.any()
    np.testing.assert_array_equal(after.T_world_camera, before.T_world_camera)
    assert np.sqrt(after.covariance[0, 0]) == pytest.approx(20, rel=0.01)
    assert events(tracker, [102 * STEP])[0].event == "motion"


def test_the_covariance_is_that_of_many_noisy_chains(tracker, monkeypatch):
    """First-order propagation against a thousand chains with the noise that it assumes."""
    settings = TrackerSettings(min_translation_noise=0, min_rotation_noise=0)
    tracker.settings = settings
    poses = events(tracker, range(0, 15 * STEP, STEP))
    turn = Rotation.from_rotvec([0, 0.05, 0])
    step = turn.apply([0, 0, 0.1])
    sigma = settings.translation_noise * 0.1 + settings.translation_noise_per_radian * 0.05
    angle = settings.rotation_noise * 0.05
    ends = []
    for _ in range(1000):
        R, p = Rotation.identity(), np.zeros(3)
        for _ in range(14):
            p = p + R.apply(step + GENERATOR.normal(0, sigma, 3))
            R = R * Rotation.from_rotvec(GENERATOR.normal(0, angle, 3)) * turn
        ends.append(p)
    expected = np.cov(np.array(ends).T)
    np.testing.assert_allclose(poses[-1].covariance[:3, :3], expected, atol=0.15 * expected.max())


def test_reset_forgets(tracker):
    events(tracker, [0, STEP, 2 * STEP])
    tracker.reset()
    pose = events(tracker, [3 * STEP])[0]
    assert pose.event == "start" and not pose.covariance.any()


def test_the_world_is_where_metres_are_first_known(tracker):
    for k in range(3):
        unknown = tracker.add(texture(), CAMERA, k * STEP, None)
    np.testing.assert_array_equal(unknown.T_world_camera, np.eye(4))
    assert not unknown.covariance.any() and unknown.distance == pytest.approx(0.1, rel=1e-6)
    first = tracker.add(texture(), CAMERA, 3 * STEP, 2.0)
    assert np.linalg.norm(first.T_world_camera[:3, 3]) == pytest.approx(0.2, rel=1e-6)


def test_metres_that_are_lost_leave_the_camera_turning_in_place(tracker):
    for k in range(3):
        known = tracker.add(texture(), CAMERA, k * STEP, 2.0)
    lost = [tracker.add(texture(), CAMERA, k * STEP, None) for k in range(3, 13)]
    here = known.T_world_camera[:3, 3]
    np.testing.assert_array_equal(lost[-1].T_world_camera[:3, 3], here)
    turned = Rotation.from_matrix(lost[-1].T_world_camera[:3, :3]).as_rotvec()
    np.testing.assert_allclose(turned, [0, 12 * 0.05, 0], atol=1e-6)
    # A second at 2 m/s, whichever way, and no more than that for turning about itself.
    assert 2.0**2 < lost[-1].covariance[0, 0] - known.covariance[0, 0] < 1.2 * 2.0**2
    assert lost[-1].velocity_covariance[0, 0] == 4.0
    again = tracker.add(texture(), CAMERA, 13 * STEP, 5.0)
    assert np.linalg.norm(again.T_world_camera[:3, 3] - here) == pytest.approx(0.5, rel=1e-6)


def test_another_models_tracker_goes_on_from_the_same_pose_and_frame(tracker):
    for k in range(4):
        last = tracker.add(texture(), CAMERA, k * STEP, 2.0)
    other = CameraTracker(tracker.method)
    other.continue_from(tracker)
    moved = other.add(texture(), CAMERA, 4 * STEP, 2.0)
    assert (moved.event, moved.since) == ("motion", 3 * STEP)
    step = np.linalg.inv(last.T_world_camera) @ moved.T_world_camera
    assert np.linalg.norm(step[:3, 3]) == pytest.approx(0.2, rel=1e-6)
    expected = tracker.add(texture(), CAMERA, 4 * STEP, 2.0)
    np.testing.assert_allclose(moved.T_world_camera, expected.T_world_camera)
    np.testing.assert_allclose(moved.covariance, expected.covariance)


def test_a_tracker_of_another_input_size_goes_on_with_a_gap(tracker):
    for k in range(4):
        last = tracker.add(texture(), CAMERA, k * STEP, 2.0)
    method = copy(tracker.method)
    method.engine = copy(method.engine)
    method.engine.size = (32, 64)
    other = CameraTracker(method)
    other.continue_from(tracker)
    assert other.add(texture(), CAMERA, 3 * STEP) is None  # a frame that comes twice
    gap = other.add(texture(), CAMERA, 13 * STEP, 2.0)
    assert (gap.event, gap.since) == ("gap", 3 * STEP)
    np.testing.assert_array_equal(gap.T_world_camera, last.T_world_camera)
    missed = gap.covariance - last.covariance
    np.testing.assert_allclose(np.diag(missed), 2.0**2, rtol=1e-9)  # a second at 2 m/s and rad/s
    assert other.add(texture(), CAMERA, 14 * STEP, 2.0).event == "motion"


def test_a_tracker_that_has_seen_nothing_hands_nothing_over(tracker):
    other = CameraTracker(tracker.method)
    other.continue_from(tracker)
    assert other.add(texture(), CAMERA, STEP).event == "start"


PIXEL = 0.0045  # metres that the scripted camera goes while the image moves by one pixel


@pytest.fixture
def seen_from(tracker):
    """Plays images of a wall from places (in pixels, along x); the motions are the true ones."""
    wide = GENERATOR.integers(0, 256, (16, 60, 3)).astype(np.float32)
    wide = cv2.resize(wide, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    places = {}

    def play(place, stamp, noise=0.0):
        rgb = cv2.warpAffine(wide, np.array([[1.0, 0, -place], [0, 1, 0]]), (96, 64))
        rgb = np.clip(rgb + GENERATOR.normal(0, noise, rgb.shape), 0, 255).astype(np.uint8)
        seen = network_input(tracker.method.engine, rgb, CAMERA)
        places[id(seen.frames)] = place, seen
        return tracker.add(seen, CAMERA, stamp)

    def motion(earlier, later):
        step = np.eye(4)
        step[0, 3] = PIXEL * (places[id(later.frames)][0] - places[id(earlier.frames)][0])
        return Motion(step, "scripted")

    tracker.method.motion = motion
    return play


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_a_creeping_camera_goes_at_its_speed(seen_from, noise):
    """0.067 pixels a frame at 10 Hz are 3 mm/s; within 40 %, as a fraction of a pixel is told."""
    poses = [seen_from(k / 15, k * STEP, noise) for k in range(1, 150)]
    moving = [pose.velocity[0] for pose in poses if pose.event == "motion"]
    assert {pose.event for pose in poses} == {"start", "standstill", "motion"}
    assert len(moving) > 10 and np.median(moving) == pytest.approx(0.003, rel=0.1)
    assert 0.0018 < min(moving) and max(moving) < 0.0042
    travelled = poses[-1].T_world_camera[0, 3]
    assert travelled == pytest.approx(0.003 * 14.8, rel=0.1)


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("stood", [1, 5, 80])
def test_a_camera_that_stood_starts_at_its_speed(seen_from, stood, noise):
    """A pixel a frame at 10 Hz: 45 mm/s, from the first frame that moves."""
    for k in range(stood + 1):
        assert seen_from(0, k * STEP, noise).event in ("start", "standstill")
    moved = [seen_from(k, (stood + k) * STEP, noise) for k in range(1, 4)]
    for pose in moved:
        assert pose.event == "motion" and pose.velocity[0] == pytest.approx(0.045, rel=0.1)


def test_a_gap_after_creeping_is_bridged_at_the_creeping_speed(seen_from):
    for k in range(1, 60):
        pose = seen_from(k / 15, k * STEP)
        if pose.event == "motion" and k > 40:
            break
    bridged = seen_from(30, (k + 15) * STEP)
    assert bridged.event == "bridge"
    step = bridged.T_world_camera[0, 3] - pose.T_world_camera[0, 3]
    assert step == pytest.approx(1.5 * 0.003, rel=0.2)
