from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.worlds.street.buildings import plan_facade
from monodepth_ros.worlds.street.road import STEP, lay_out
from monodepth_ros.worlds.street.street import (
    AHEAD,
    SIDEWAYS_ACCELERATION,
    START,
    _drive,
    _poses,
)


@pytest.mark.parametrize("seed", range(8))
def test_street_bends_but_never_meets_itself(seed: int) -> None:
    street = lay_out(np.random.default_rng(seed), 400.0)
    assert street.length >= 400.0
    assert np.abs(street.curvature()).max() < 1 / 12  # a car can drive it
    assert np.ptp(street.heading) > np.radians(10)
    far = np.arange(0, len(street.centre), 10)
    points, along = street.centre[far], far * STEP
    gap = np.linalg.norm(points[:, None] - points[None], axis=-1)
    apart = np.abs(along[:, None] - along[None]) > 60
    assert gap[apart].min() > 2 * street.half_road


def test_places_beside_the_street_are_at_their_distance() -> None:
    street = lay_out(np.random.default_rng(1), 200.0)
    for aside in (-5.0, 3.0):
        point = street.at(np.array([80.0]), aside)
        assert street.clearance(point) == pytest.approx(abs(aside), abs=0.05)


def test_drive_slows_for_bends_and_covers_the_distance_of_its_speed() -> None:
    street = lay_out(np.random.default_rng(2), START + 300 + AHEAD)
    along, speed = _drive(street, np.full(300, 10.0), fps=10.0)
    np.testing.assert_allclose(np.diff(along), speed[:-1] / 10.0)
    bend = np.interp(along / STEP, np.arange(len(street.centre)), np.abs(street.curvature()))
    assert (speed**2 * bend).max() < 1.1 * SIDEWAYS_ACCELERATION
    assert speed.min() < 9.0 < speed.max()


def test_camera_stands_still_with_the_car_and_moves_as_fast_as_it() -> None:
    street = lay_out(np.random.default_rng(2), START + 300 + AHEAD)
    wanted = np.concatenate([np.full(80, 9.0), np.zeros(40), np.full(80, 9.0)])
    along, speed = _drive(street, wanted, fps=10.0)
    poses = _poses(np.random.default_rng(0), street, along, speed, fps=10.0)
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1)
    assert steps[81:118].max() < 1e-9
    np.testing.assert_allclose(poses[85], poses[115], atol=1e-9)
    driving = speed[:-1] > 3
    np.testing.assert_allclose(steps[driving] * 10, speed[:-1][driving], rtol=0.15)
    assert np.abs(poses[:, 2, 3] - 1.5).max() < 0.35  # as high as a camera in a car


def test_openings_stay_inside_their_facade_and_apart() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        width, height = rng.uniform(6, 19), rng.uniform(4, 22)
        plan = plan_facade(rng, width, height)
        openings = np.array(plan.windows + plan.shops + plan.doors)
        left, bottom, w, h = openings.T
        assert (left >= 0).all() and (left + w <= width).all()
        assert (bottom >= 0).all() and (bottom + h <= height).all()
        for i, j in zip(*np.triu_indices(len(openings), 1), strict=True):
            beside = left[i] + w[i] <= left[j] + 1e-9 or left[j] + w[j] <= left[i] + 1e-9
            above = bottom[i] + h[i] <= bottom[j] + 1e-9 or bottom[j] + h[j] <= bottom[i] + 1e-9
            assert beside or above
