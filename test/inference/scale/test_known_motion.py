"""What an odometry says, between its messages, over its jumps and without its poses."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.scale.known_motion import KnownMotion, KnownPose
from monodepth_ros.stamps import SECOND


def at(x: float, yaw: float = 0.0) -> np.ndarray:
    return motion_of(np.array([x, 0, 0, 0, 0, yaw]))


def test_poses_and_variances_are_interpolated() -> None:
    known = KnownMotion()
    known.add(0, at(1.0), variance=0.0)
    known.add(SECOND // 10, at(2.0, 0.4), variance=0.1)
    found = known.at(SECOND // 40)
    assert isinstance(found, KnownPose)
    np.testing.assert_allclose(found.T_world_body, at(1.25, 0.1), atol=1e-12)
    assert found.variance == pytest.approx(0.025)


def test_what_is_not_known() -> None:
    known = KnownMotion()
    assert known.is_to_come(0)
    known.add(SECOND, at(0.0))
    known.add(2 * SECOND, at(1.0))
    assert known.at(0) == known.at(3 * SECOND) == "no odometry at the time of the images"
    assert known.at(SECOND * 3 // 2) == "odometry comes every 1.0 s; at most 0.5 s are allowed"
    assert known.is_to_come(3 * SECOND) and not known.is_to_come(SECOND)


def test_a_jump_is_no_motion() -> None:
    known = KnownMotion()
    for k in range(5):
        known.add(k * SECOND // 10, at(0.1 * k + 20 * (k > 2)))
    assert known.jumps == 1
    assert isinstance(known.at(SECOND // 4), str)
    assert isinstance(known.at(SECOND * 7 // 20), KnownPose)


def test_a_clock_that_is_set_back_begins_anew() -> None:
    known = KnownMotion()
    known.add(10 * SECOND, at(0.0))
    known.add(10 * SECOND - 1, at(5.0))  # out of order
    assert known.newest == 10 * SECOND
    known.add(SECOND, at(3.0))
    assert known.newest == SECOND


def test_a_twist_alone_is_integrated() -> None:
    """A quarter of a circle of 2 m, by a wheel odometry that fills in no pose."""
    known = KnownMotion()
    turn = np.pi / 2
    for k in range(101):
        twist = np.array([2.0 * turn, 0, 0, 0, 0, turn])
        known.add(k * SECOND // 100, np.eye(4), twist)
    found = known.at(SECOND)
    assert isinstance(found, KnownPose)
    expected = motion_of(np.array([2.0, 2.0, 0, 0, 0, turn]))
    np.testing.assert_allclose(found.T_world_body, expected, atol=1e-3)


def test_poses_that_move_are_preferred_to_the_twist() -> None:
    known = KnownMotion()
    for k in range(11):
        known.add(k * SECOND // 10, at(0.1 * k), np.array([5.0, 0, 0, 0, 0, 0]))
    found = known.at(SECOND)
    assert isinstance(found, KnownPose) and found.T_world_body[0, 3] == pytest.approx(1.0)
