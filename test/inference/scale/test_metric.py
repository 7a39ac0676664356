"""Metres from a speed and from the camera's height, with what robots do to both."""

import numpy as np
import pytest
from drawn_ground import CAMERA, plane_depth

from monodepth_ros.inference.scale.metric import CameraHeightScale, MedianScale, SpeedScale

MS = 1_000_000


def drive(scale, seconds, speed=lambda t: 1.0, unit=2.5, late_ms=0, noise=0.0, begin=0):
    """20 Hz wheel speeds and 10 Hz camera motions in units of ``unit`` metres."""
    generator = np.random.default_rng(3)
    events = [(t, "speed") for t in range(0, int(1000 * seconds) + 1, 50)]
    events += [(t - late_ms, "motion") for t in range(100, int(1000 * seconds) + 1, 100)]
    for t, kind in sorted(events, key=lambda event: event[0]):
        if kind == "speed":
            scale.add_speed((begin + t) * MS, speed(t / 1000))
        else:
            end = t + late_ms
            metres = 0.1 * abs(speed(end / 1000 - 0.05))
            seen = metres / unit * generator.normal(1, noise)
            scale.add_motion((begin + end - 100) * MS, (begin + end) * MS, seen)


def test_the_ratio_of_distances():
    scale = SpeedScale()
    drive(scale, 10)
    assert scale.factor == pytest.approx(2.5, rel=1e-6)


def test_unknown_until_enough_was_driven():
    scale = SpeedScale()
    drive(scale, 1.0)
    assert scale.factor is None


def test_motions_that_come_before_their_speeds_wait():
    scale = SpeedScale()
    drive(scale, 10, late_ms=80)  # motions known 80 ms before their end, say
    assert scale.factor == pytest.approx(2.5, rel=1e-6)


def test_changing_speed_and_noise():
    scale = SpeedScale()
    drive(scale, 40, speed=lambda t: 0.6 + 0.5 * np.sin(0.7 * t), noise=0.2)
    assert scale.factor == pytest.approx(2.5, rel=0.1)


def test_driving_backwards_counts_as_much():
    scale = SpeedScale()
    drive(scale, 10, speed=lambda t: -1.0)
    assert scale.factor == pytest.approx(2.5, rel=1e-6)


def test_standing_still_tells_nothing():
    scale = SpeedScale()
    drive(scale, 10, speed=lambda t: 0.0)
    assert scale.factor is None


def test_slipping_wheels_for_a_while_do_not_count():
    scale = SpeedScale()
    drive(scale, 10)
    for t in range(10_000, 12_000, 50):  # the wheels turn, the camera stands
        scale.add_speed(t * MS, 1.0)
        scale.add_motion((t - 50) * MS, t * MS, 0.001)
    assert scale.factor == pytest.approx(2.5, rel=0.02)


def test_no_speed_over_a_hole():
    scale = SpeedScale()
    scale.add_speed(0, 1.0)
    for t in range(0, 5000, 100):
        scale.add_motion(t * MS, (t + 100) * MS, 0.04)
    scale.add_speed(5000 * MS, 1.0)
    assert scale.factor is None


def test_a_clock_that_jumps_back_starts_over():
    scale = SpeedScale()
    drive(scale, 10, begin=100_000)
    drive(scale, 20, unit=5.0)
    assert scale.factor == pytest.approx(5.0, rel=1e-6)


def test_speeds_that_are_not_numbers_are_passed_over():
    scale = SpeedScale()
    scale.add_speed(0, float("nan"))
    drive(scale, 10)
    scale.add_speed(10_050 * MS, float("inf"))
    assert scale.factor == pytest.approx(2.5, rel=1e-6)


def test_the_known_height_of_the_camera():
    scale = CameraHeightScale(1.5)
    assert scale.factor is None
    for _ in range(3):
        scale.add_depth(plane_depth(0.3, 4), CAMERA)
    assert scale.factor == pytest.approx(5.0, rel=1e-3)
    for _ in range(5):  # a wall right ahead
        scale.add_depth(np.full((128, 192), 0.2, np.float32), CAMERA)
    assert scale.factor == pytest.approx(5.0, rel=1e-3)


def test_median_leaves_out_what_is_no_length():
    median = MedianScale(3, 2)
    for value in (np.nan, -1.0, 0.0, np.inf, 2.0):
        median.add(value)
    assert median.factor is None
    for value in (4.0, 3.0, 5.0):
        median.add(value)
    assert median.factor == 4.0


def test_what_a_speed_lacks_for_a_scale():
    scale = SpeedScale()
    scale.add_speed(0, 1.0)
    scale.add_speed(100 * MS, 1.0)
    assert scale.missing == "no motion in the images"
    scale.add_motion(0, 100 * MS, 0.05)
    assert scale.missing == "0.1 of 1.5 m driven"
    seldom = SpeedScale()
    for k in range(4):
        seldom.add_speed(2000 * k * MS, 1.0)
        seldom.add_motion(2000 * k * MS, (2000 * k + 100) * MS, 0.05)
    assert seldom.missing == "speeds arrive every 2.0 s; at most 0.5 s are allowed"


def test_what_a_height_lacks_for_a_scale():
    scale = CameraHeightScale(1.5)
    upwards = np.full((CAMERA.height, CAMERA.width), np.nan, np.float32)
    scale.add_depth(upwards, CAMERA)
    assert scale.missing == "no flat ground found in 1 images"
    scale.add_depth(plane_depth(3.0), CAMERA)
    assert scale.factor is None
    assert scale.missing == "ground found in 1 of 3 images needed"
