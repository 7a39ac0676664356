"""Transforms over time: what moves is interpolated, what does not holds for the whole bag."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.data.bags.transform_tree import TransformTree, Unknown

SECOND = 1_000_000_000


def at(x: float, yaw: float = 0.0) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    T[0, 3] = x
    return T


def driving(period: float = 0.05) -> TransformTree:
    """Odometry at 20 Hz for 3 seconds, 1 m/s, and a mounting at 1 Hz on /tf from 0.9 s on."""
    tree = TransformTree()
    for n in range(round(3 / period) + 1):
        tree.add("odom", "base", round(n * period * SECOND), at(n * period))
    for second in (0.9, 1.9):
        tree.add("base", "camera", round(second * SECOND), at(0.2 + 5e-5 * second))
    return tree


def test_a_mounting_at_1_hz_holds_for_all_frames_of_the_odometry() -> None:
    tree = driving()
    for stamp in (0, SECOND // 2, 3 * SECOND):
        T = tree.lookup("odom", "camera", stamp)
        assert not isinstance(T, Unknown)
        assert T[0, 3] == pytest.approx(stamp / SECOND + 0.2, abs=1e-3)
    beyond = tree.lookup("odom", "camera", 4 * SECOND)
    assert beyond == Unknown("{gap} after the last of odom -> base", SECOND)


def test_a_mounting_that_turns_is_interpolated_and_not_held() -> None:
    tree = driving()
    for tenth in range(11):
        tree.add("camera", "pan", tenth * SECOND // 10, at(0, yaw=0.02 * tenth))
    T = tree.lookup("base", "pan", SECOND // 4, mounting=True)
    assert not isinstance(T, Unknown)
    assert Rotation.from_matrix(T[:3, :3]).magnitude() == pytest.approx(0.05)
    after = tree.lookup("base", "pan", 2 * SECOND, mounting=True)
    assert after == Unknown("{gap} after the last of camera -> pan", SECOND)


def test_a_pause_of_what_moves_is_told_with_its_length() -> None:
    tree = driving(period=0.75)
    pause = tree.lookup("odom", "base", SECOND)
    assert isinstance(pause, Unknown) and pause.gap == 750_000_000
    assert pause.reason == "odom -> base pauses for {gap} (at most 0.5 s)"


def test_a_camera_that_stands_still_is_known_between_its_messages_alone() -> None:
    tree = TransformTree()
    for second in (1, 2):
        tree.add("odom", "base", second * SECOND, at(1.0))
        tree.add("base", "camera", second * SECOND, at(0.2))
    T = tree.lookup("odom", "camera", SECOND + SECOND // 2)
    assert not isinstance(T, Unknown) and T[0, 3] == pytest.approx(1.2)
    for stamp in (0, 3 * SECOND):
        assert isinstance(tree.lookup("odom", "camera", stamp), Unknown)
    assert not isinstance(tree.lookup("base", "camera", 9 * SECOND, mounting=True), Unknown)


def test_a_static_transform_that_is_stated_anew_holds_from_then_on() -> None:
    tree = TransformTree()
    tree.add("base", "camera", 5 * SECOND, at(0.1), static=True)
    tree.add("base", "camera", 8 * SECOND, at(0.3), static=True)
    for stamp, x in ((0, 0.1), (5 * SECOND, 0.1), (7 * SECOND, 0.1), (8 * SECOND, 0.3)):
        T = tree.lookup("base", "camera", stamp)
        assert not isinstance(T, Unknown) and T[0, 3] == pytest.approx(x)


def test_of_two_parents_the_one_that_is_stated_more_often_counts_and_it_is_told() -> None:
    tree = driving()
    tree.add("map", "base", SECOND, at(50.0))
    assert tree.ancestors("camera") == ["camera", "base", "odom"]
    assert tree.notes == [
        "TF: the frame base has several parents (odom: 61 messages, map: 1 messages); odom is used"
    ]
    assert tree.lookup("map", "camera", 0) == Unknown("TF has no way from map to camera")


def test_two_cameras_on_one_robot() -> None:
    tree = driving()
    tree.add("base", "other", 0, at(1.2), static=True)
    T = tree.relation("/other", "camera", 9 * SECOND)
    assert not isinstance(T, Unknown) and T[0, 3] == pytest.approx(1.0, abs=1e-3)
    assert tree.relation("camera", "moon", 0) == Unknown("TF has no way from camera to moon")
