"""Tracked points against the exact geometry of rendered images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rendered_planes import render, room

from monodepth_ros.errors import UserError
from monodepth_ros.inference.points import tracks
from monodepth_ros.inference.points.tracks import PointTracker


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


def test_where_points_are_found_at_once_they_are_sought_forth_and_back_and_no_more(
    still: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a frame costs, in what takes the time."""
    levels, follow = [], cv2.calcOpticalFlowPyrLK

    def counted(*images: object, **options: int) -> object:
        levels.append(options["maxLevel"])
        return follow(*images, **options)

    monkeypatch.setattr(cv2, "calcOpticalFlowPyrLK", counted)
    monkeypatch.setattr(tracks, "small_image", None)  # of fast turns alone
    tracker = PointTracker()
    tracker.add(still)
    tracker.add(shifted(still, 1.0, 0.5))
    assert levels == [3, 2]


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


def test_exposure_and_bands_of_light_are_no_motion(still: np.ndarray) -> None:
    tracker, rows = PointTracker(), np.linspace(-1, 1, 240)[:, None]
    first = tracker.add(still)
    for index in range(1, 6):
        light = 0.8 + 0.2 * np.sin(2 * index + 3 * rows)
        moved = shifted(still, 1.5 * index, 0.0) * light
        last = tracker.add(moved.clip(0, 255).astype(np.uint8))
    _, then, now = np.intersect1d(first.ids, last.ids, return_indices=True)
    assert len(then) > 0.7 * len(first)
    error = last.pixels[now] - first.pixels[then] - [7.5, 0]
    assert np.median(np.abs(error)) < 0.15


def test_errors_do_not_add_up_over_many_images(still: np.ndarray) -> None:
    """Forty images of noise, each half a pixel further: as exact as the first step."""
    tracker, generator = PointTracker(), np.random.default_rng(0)
    seen = []
    for index in range(40):
        noise = generator.normal(0, 3, still.shape)
        image = shifted(still, 0.5 * index, 0.25 * index) + noise
        seen.append(tracker.add(image.round().clip(0, 255).astype(np.uint8)))
    _, then, now = np.intersect1d(seen[0].ids, seen[-1].ids, return_indices=True)
    assert len(then) > 0.5 * len(seen[0])
    error = seen[-1].pixels[now] - seen[0].pixels[then] - [19.5, 9.75]
    assert np.median(np.linalg.norm(error, axis=1)) < 0.3


def test_points_lie_where_the_image_is_valid_and_all_over_it(still: np.ndarray) -> None:
    valid = np.zeros(still.shape, bool)
    valid[:, :200] = True
    pixels = PointTracker().add(still, valid).pixels
    assert pixels[:, 0].max() < 200 - 7
    everywhere = PointTracker().add(still).pixels
    blocks = np.unique((everywhere // [80, 80]).astype(int), axis=0)
    assert len(blocks) == 12


@pytest.mark.parametrize("size", [(96, 96), (60, 640), (40, 30)])
def test_small_and_narrow_images(still: np.ndarray, size: tuple[int, int]) -> None:
    height, width = size
    image = cv2.resize(still, (max(width, 320), max(height, 240)))[:height, :width]
    tracker = PointTracker()
    first, second = tracker.add(image), tracker.add(shifted(image, 1.0, 0.5))
    _, then, now = np.intersect1d(first.ids, second.ids, return_indices=True)
    assert len(then) > 0.5 * len(first) > 0
    error = second.pixels[now] - first.pixels[then] - [1.0, 0.5]
    assert np.median(np.abs(error)) < 0.1


def test_an_image_without_anything_has_no_points(still: np.ndarray) -> None:
    tracker = PointTracker()
    assert len(tracker.add(np.full((120, 160), 90, np.uint8))) == 0
    assert len(tracker.add(still[:120, :160])) > 20
    assert len(tracker.add(np.zeros((120, 160), np.uint8))) == 0


def test_points_are_found_after_a_turn_wider_than_the_pyramid_reaches() -> None:
    """A third of the image in one step, with nothing that foretold it."""
    random = np.random.default_rng(5)
    whole = sum(
        cv2.GaussianBlur(random.normal(0, s, (480, 900)).astype(np.float32), (0, 0), s)
        for s in (2, 8, 24)
    )
    whole = ((whole - whole.min()) / np.ptp(whole) * 255).astype(np.uint8)
    tracker = PointTracker()
    first = tracker.add(np.ascontiguousarray(whole[:, 40:680]))
    second = tracker.add(np.ascontiguousarray(whole[:, 250:890]))
    _, then, now = np.intersect1d(first.ids, second.ids, return_indices=True)
    right = np.abs(second.pixels[now] - first.pixels[then] + (210, 0)).max(1) < 0.2
    assert right.sum() > 0.65 * (first.pixels[:, 0] > 220).sum()
    assert right.mean() > 0.8
