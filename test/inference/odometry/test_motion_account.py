"""Counts of the methods that have measured motions."""

import numpy as np

from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.motion_account import MotionAccount


def test_an_account_of_nothing_is_empty():
    assert MotionAccount().facts() == {} and MotionAccount().counts() == {}


def test_methods_and_fallbacks_are_counted_and_the_last_motion_is_described():
    account = MotionAccount()
    account.add(Motion(np.eye(4), "network", fallback="too few points"))
    account.add(Motion(np.eye(4), "points", None, 83, 61, 0.43219))
    account.add(Motion(np.eye(4), "network", fallback="too few points"))
    assert account.counts() == {"motions_network": 2, "motions_points": 1}
    assert account.facts() == {
        "motions: network": "2",
        "motions: points": "1",
        "method of the last motion": "network",
        "fallbacks: too few points": "2",
    }
    account.add(Motion(np.eye(4), "points", None, 0, 0, fallback="too few points"))
    assert account.counts() == {"motions_network": 2, "motions_points": 1}  # a guess
    assert account.fallbacks == {"too few points": 3}
    account.add(Motion(np.eye(4), "points", None, 83, 61, 0.43219))
    facts = account.facts()
    assert (facts["inliers"], facts["landmarks"]) == ("83", "61")
    assert facts["reprojection error (px)"] == "0.432"
