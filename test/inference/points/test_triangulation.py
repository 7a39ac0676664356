"""Triangulated points against exact geometry."""

from __future__ import annotations

import numpy as np
import pytest
from point_scenes import CAMERA, scene, seen_after

from monodepth_ros.geometry.lens import project
from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.points.triangulation import TriangulationSettings, triangulate

SIDEWAYS = motion_of(np.array([0.5, 0.0, 0.0, 0.0, 0.02, 0.0]))


def test_exact_pixels_give_the_exact_inverse_depth() -> None:
    points = scene("general", 50)
    found = triangulate(project(CAMERA, points), seen_after(points, SIDEWAYS), SIDEWAYS, CAMERA)
    assert found.good.all()
    assert found.inverse_depth == pytest.approx(1 / points[:, 2], abs=1e-9)


@pytest.mark.parametrize("views", [1, 4])
def test_the_variance_is_that_of_noisy_pixels(views: int) -> None:
    points, noise = scene("general", 4000), 0.4
    generator = np.random.default_rng(3)
    steps = np.stack([motion_of(np.array([0.4 + 0.02 * k, 0, 0, 0, 0, 0])) for k in range(views)])
    seen = np.stack([seen_after(points, T) for T in steps])
    first = project(CAMERA, points)
    found = triangulate(
        first + generator.normal(0, noise, first.shape),
        seen + generator.normal(0, noise, seen.shape),
        steps,
        CAMERA,
        TriangulationSettings(noise=noise),
    )
    normed = (found.inverse_depth - 1 / points[:, 2]) / np.sqrt(found.variance)
    assert normed.std() == pytest.approx(1, abs=0.06)


def test_what_does_not_count_is_counted_by_reason() -> None:
    points = np.tile(scene("general", 1), (5, 1))
    points[1] *= 500  # far away
    seen = seen_after(points, SIDEWAYS)
    seen[2] += [0, 40]  # off its epipolar line
    seen[3] = np.nan
    seen[4] += [200, 0]  # the wrong way
    found = triangulate(project(CAMERA, points), seen, SIDEWAYS, CAMERA)
    assert found.good.tolist() == [True, False, False, False, False]
    assert found.rejected == {"unseen": 1, "behind": 1, "far_off": 1, "little_parallax": 1}
    assert np.isnan(found.inverse_depth[3])


def test_no_points_and_no_motion() -> None:
    none = np.empty((0, 2))
    assert len(triangulate(none, none, SIDEWAYS, CAMERA).inverse_depth) == 0
    points = project(CAMERA, scene("general", 5))
    found = triangulate(points, points, np.eye(4), CAMERA)
    assert not found.good.any()
    assert sum(found.rejected.values()) == 5
