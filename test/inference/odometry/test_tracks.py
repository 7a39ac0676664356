"""Tracked points against the exact geometry of rendered images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rendered_planes import render, room

from monodepth_ros.errors import UserError
from monodepth_ros.inference.odometry.tracks import PointTracker


@pytest.fixture(scope="module")
def still() -> np.ndarray:
    return render(room(), np.eye(4))[0]


def shifted(image: np.ndarray, x: float, y: float) -> np.ndarray:
    A = np.array([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(image, A, image.shape[::-1], flags=cv2.INTER_CUBIC, borderMode=2)


def test_points_follow_a_shift_to_a_fraction_of_a_pixel(still: np.ndarray) -> None:
    tracker = PointTracker()
    first = tracker.add(still)
    second = tracker.add(shifted(still, 3.4, -2.7))
    same, at, now = np.intersect1d(first.ids, second.ids, return_indices=True)
    assert len(same) > 0.8 * len(first)
    error = second.pixels[now] - first.pixels[at] - [3.4, -2.7]
    assert np.median(np.abs(error)) < 0.05
    assert (second.ages[now] == 1).all()


def test_another_size_needs_a_reset(still: np.ndarray) -> None:
    tracker = PointTracker()
    tracker.add(still)
    with pytest.raises(UserError, match="160x120 image follows 320x240"):
        tracker.add(still[:120, :160])


def test_points_that_are_not_kept_are_replaced(still: np.ndarray) -> None:
    tracker = PointTracker()
    first = tracker.add(still)
    kept = first.ids % 2 == 0
    tracker.keep(kept)
    for x in (1.0, 2.0):
        later = tracker.add(shifted(still, x, 0.0))
    assert not set(first.ids[~kept]) & set(later.ids)
    assert len(set(first.ids[kept]) & set(later.ids)) > 0.8 * kept.sum()
    assert len(later) > 0.9 * len(first)
