"""Alignment recovers the transform that was applied, and is the least-squares optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.alignment import Similarity, align, umeyama


def random_similarity(random):
    R = Rotation.random(rng=random).as_matrix()
    return np.exp(random.normal()), R, random.normal(size=3) * 5


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_umeyama_recovers_a_similarity(seed):
    random = np.random.default_rng(seed)
    points = random.normal(size=(8, 3))
    scale, R, t = random_similarity(random)
    found = umeyama(points, scale * points @ R.T + t, with_scale=True)
    assert found.scale == pytest.approx(scale, rel=1e-9)
    np.testing.assert_allclose(found.R, R, atol=1e-9)
    np.testing.assert_allclose(found.t, t, atol=1e-8)


def test_rigid_alignment_recovers_a_rigid_motion_and_leaves_scale():
    random = np.random.default_rng(1)
    points = random.normal(size=(8, 3))
    _, R, t = random_similarity(random)
    found = align(points, points @ R.T + t, "6dof")
    assert found.scale == 1
    np.testing.assert_allclose(found.R, R, atol=1e-12)


def test_reflected_points_still_give_a_rotation():
    points = np.random.default_rng(2).normal(size=(8, 3))
    found = umeyama(points, points * [1, 1, -1], with_scale=True)
    assert np.linalg.det(found.R) == pytest.approx(1)


def test_noisy_alignment_is_the_least_squares_optimum():
    random = np.random.default_rng(3)
    source, target = random.normal(size=(2, 9, 3))

    def cost(parameters):
        R = Rotation.from_rotvec(parameters[:3]).as_matrix()
        return ((np.exp(parameters[6]) * source @ R.T + parameters[3:6] - target) ** 2).sum()

    found = umeyama(source, target, with_scale=True)
    own = ((found.scale * source @ found.R.T + found.t - target) ** 2).sum()
    starts = [
        np.concatenate([Rotation.random(rng=random).as_rotvec(), np.zeros(4)]) for _ in range(6)
    ]
    best = min(minimize(cost, start).fun for start in starts)
    assert own == pytest.approx(best, rel=1e-6)


def test_scale_is_the_least_squares_factor_about_the_origin():
    random = np.random.default_rng(4)
    x, y = random.normal(size=(2, 7, 3))
    scale = align(x, y, "scale").scale
    factors = np.linalg.lstsq(x.reshape(-1, 1), y.ravel(), rcond=None)[0]
    assert scale == pytest.approx(factors[0])


def test_poses_move_with_their_positions_and_stay_rigid():
    random = np.random.default_rng(5)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3, :3] = Rotation.random(5, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(5, 3))
    scale, R, t = random_similarity(random)
    found = umeyama(poses[:, :3, 3], scale * poses[:, :3, 3] @ R.T + t, with_scale=True)
    moved = found.apply_to_poses(poses)
    np.testing.assert_allclose(moved[:, :3, 3], scale * poses[:, :3, 3] @ R.T + t, atol=1e-9)
    np.testing.assert_allclose(moved[:, :3, :3], R @ poses[:, :3, :3], atol=1e-9)


def test_straight_line_is_aligned_although_its_roll_is_open():
    source = np.outer(np.arange(5.0), [0, 0, 1])
    found = umeyama(source, 2 * source[:, ::-1] + 1, with_scale=True)
    moved = found.scale * source @ found.R.T + found.t
    np.testing.assert_allclose(moved, 2 * source[:, ::-1] + 1, atol=1e-12)


@pytest.mark.parametrize("method", ["scale", "7dof"])
@pytest.mark.parametrize("still", ["estimate", "truth"])
def test_no_motion_cannot_give_a_scale(method, still):
    moving, standing = np.random.default_rng(6).normal(size=(5, 3)), np.zeros((5, 3))
    pair = (standing, moving) if still == "estimate" else (moving, standing)
    with pytest.raises(UserError, match=f"the {still} does not move"):
        align(*pair, method)
    assert align(*pair, "6dof").scale == 1


def test_unknown_alignment():
    with pytest.raises(UserError, match="sim3"):
        align(np.zeros((2, 3)), np.zeros((2, 3)), "sim3")


def test_the_inverse_brings_aligned_poses_back():
    random = np.random.default_rng(4)
    poses = np.tile(np.eye(4), (6, 1, 1))
    poses[:, :3, :3] = Rotation.random(6, rng=random).as_matrix()
    poses[:, :3, 3] = random.normal(size=(6, 3))
    alignment = Similarity(*random_similarity(random))
    back = alignment.inverse().apply_to_poses(alignment.apply_to_poses(poses))
    np.testing.assert_allclose(back, poses, atol=1e-12)
