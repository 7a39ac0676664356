"""Bundle adjustment of a few keyframes: exact on exact data, and as sure as it may be."""

import numpy as np
import pytest

from monodepth_ros.geometry.rigid_motion import inverse, motion_of, twist_of
from monodepth_ros.inference.odometry.mapping.landmarks import Landmarks
from monodepth_ros.inference.odometry.mapping.window import Observations, Window

NOISE = 1e-3  # half a pixel of a camera with a focal length of 500
NO_PRIOR = 1e3  # deviation of a logarithm


def poses(count):
    """A camera that goes sideways and ahead, and turns a little."""
    steps = np.random.default_rng(5).normal(0, 0.02, (count, 6))
    steps[:, [0, 2]] += 0.15, 0.1
    chain = [np.eye(4)]
    for step in steps[1:]:
        chain.append(chain[-1] @ motion_of(step))
    return np.array(chain)


def scene(keyframes=5, count=60, noise=0.0, seed=0, deviation=NO_PRIOR):
    """True poses, landmarks with their true depths, and what all keyframes see of them."""
    generator = np.random.default_rng(seed)
    true = poses(keyframes)
    rays = np.random.default_rng(7).uniform(-0.5, 0.5, (count, 2))
    depth = np.random.default_rng(8).uniform(2.0, 8.0, count)
    hosts = np.arange(count) % 2
    world = np.column_stack([rays, np.ones(count)]) * depth[:, None]
    world = (true[hosts, :3, :3] @ world[:, :, None])[:, :, 0] + true[hosts, :3, 3]
    seen = []
    for T in true:
        points = (world - T[:3, 3]) @ T[:3, :3]
        seen.append(points[:, :2] / points[:, 2:])
    points = np.array(seen) + generator.normal(0, noise, (keyframes, count, 2))
    at_host = points[hosts, np.arange(count)] if noise else rays
    landmarks = Landmarks.expected(np.arange(count), 0, at_host, -np.log(depth), deviation)
    keyframe, landmark = np.divmod(np.arange(keyframes * count), count)
    others = keyframe != hosts[landmark]
    observations = Observations(keyframe, landmark, points.reshape(-1, 2))[others]
    return true, landmarks.hosted_by(hosts), observations


def disturbed(true, free, landmarks, seed=1):
    generator = np.random.default_rng(seed)
    start = true.copy()
    for row in free:
        start[row] = start[row] @ motion_of(generator.normal(0, [0.05] * 3 + [0.02] * 3))
    depths = landmarks.log_inverse_depths + generator.normal(0, 0.2, len(landmarks))
    return start, landmarks.estimated(depths, landmarks.variances)


def test_exact_points_lead_back_to_the_exact_poses_and_depths():
    true, landmarks, observations = scene()
    free = np.arange(2, 5)
    start, guessed = disturbed(true, free, landmarks)
    found = Window(free, guessed, observations, NOISE).adjust(start, 30, least_gain=0)
    np.testing.assert_allclose(found.poses, true, atol=1e-7)
    np.testing.assert_allclose(found.log_inverse_depths, landmarks.log_inverse_depths, atol=1e-6)
    assert found.squared.max() < 1e-6


def test_at_most_four_iterations_are_made_and_the_rest_of_the_way_is_below_the_noise():
    true, landmarks, observations = scene(noise=NOISE)
    start, guessed = disturbed(true, [2, 3, 4], landmarks)
    window, steps = Window(np.arange(2, 5), guessed, observations, NOISE), []
    linearised = window.linearised
    window.linearised = lambda sight: steps.append(sight.cost) or linearised(sight)
    found = window.adjust(start)
    assert len(steps) == 5  # the last for what is stated of the minimum
    best = window.adjust(start, 30, least_gain=0)
    moved = [twist_of(inverse(found.poses[row]) @ best.poses[row]) for row in (2, 3, 4)]
    of_poses = np.concatenate(moved) @ best.information @ np.concatenate(moved)
    assert of_poses < 0.5  # of 18, which noise alone makes of it


def test_fixed_poses_do_not_move():
    true, landmarks, observations = scene(noise=NOISE)
    start, guessed = disturbed(true, [2, 3, 4], landmarks)
    found = Window(np.array([2, 4]), guessed, observations, NOISE).adjust(start, 10)
    np.testing.assert_array_equal(found.poses[[0, 1, 3]], start[[0, 1, 3]])
    assert np.abs(found.poses[[2, 4]] - start[[2, 4]]).max() > 1e-3


def test_the_gradient_is_that_of_the_cost():
    true, landmarks, observations = scene(noise=3 * NOISE, deviation=0.5)
    free = np.array([1, 3])
    start, guessed = disturbed(true, free, landmarks)
    window = Window(free, guessed, observations, 30 * NOISE)
    depths = guessed.log_inverse_depths
    equations = window.linearised(window.at(start, depths))

    def cost(pose_step, depth_step):
        moved = start.copy()
        for row, twist in zip(free, pose_step.reshape(-1, 6), strict=True):
            moved[row] = moved[row] @ motion_of(twist)
        return window.at(moved, depths + depth_step).cost / 2

    none = np.zeros(12), np.zeros(len(depths))
    for place, gradient in ((0, equations.pose_gradient), (1, equations.landmark_gradient)):
        for entry in range(12):
            ahead, behind = (tuple(step.copy() for step in none) for _ in range(2))
            ahead[place][entry], behind[place][entry] = 1e-6, -1e-6
            slope = (cost(*ahead) - cost(*behind)) / 2e-6
            assert slope == pytest.approx(gradient[entry], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("damping", [0.0, 1e-3, 1.0])
def test_eliminating_landmarks_gives_the_step_of_the_whole_system(damping):
    true, landmarks, observations = scene(noise=NOISE, deviation=0.5)
    free = np.arange(1, 5)
    start, guessed = disturbed(true, free, landmarks)
    window = Window(free, guessed, observations, NOISE)
    equations = window.linearised(window.at(start, guessed.log_inverse_depths))
    whole = np.block(
        [
            [equations.of_poses, equations.mixed.T],
            [equations.mixed, np.diag(equations.of_landmarks)],
        ]
    )
    whole += np.diag(np.diag(whole) * damping + 1e-9)
    gradient = np.concatenate([equations.pose_gradient, equations.landmark_gradient])
    expected = -np.linalg.solve(whole, gradient)
    step = np.concatenate(equations.step(damping))
    np.testing.assert_allclose(step, expected, atol=1e-9 * np.abs(expected).max())
    information = equations.reduced(damping)[0]
    covariance = np.linalg.inv(whole)[: len(step) - 60, : len(step) - 60]
    np.testing.assert_allclose(np.linalg.inv(information), covariance, rtol=1e-5, atol=1e-12)


def test_the_information_is_that_of_many_runs():
    """NEES of 300 windows with noise: within 99 % bounds of a chi-square variable's mean.

    The noise of a landmark's own ray is none of an observation, so here rays are exact.
    """
    runs, free, squares = 300, np.arange(1, 4), []
    for seed in range(runs):
        true, landmarks, exact = scene(4, 40, deviation=0.3)
        generator = np.random.default_rng(seed)
        noisy = exact.points + generator.normal(0, NOISE, exact.points.shape)
        observations = Observations(exact.keyframes, exact.landmarks, noisy)
        expected = landmarks.log_inverse_depths + generator.normal(0, 0.3, len(landmarks))
        guessed = Landmarks.expected(
            landmarks.ids, 0, landmarks.rays[:, :2], expected, 0.3
        ).hosted_by(landmarks.hosts)
        found = Window(free, guessed, observations, NOISE).adjust(true, 20, least_gain=0)
        error = np.concatenate([twist_of(inverse(found.poses[row]) @ true[row]) for row in free])
        squares.append(error @ found.information @ error)
    mean, dimension = np.mean(squares), 6 * len(free)
    # The Cauchy loss gives Gaussian noise 0.8 of its weight and loses a few per cent of accuracy.
    assert 0.8 * dimension < mean < 1.05 * dimension


def test_points_that_are_wrong_lose_their_weight():
    true, landmarks, observations = scene(noise=NOISE)
    points = observations.points.copy()
    wrong = np.random.default_rng(3).random(len(points)) < 0.2
    points[wrong] += np.random.default_rng(4).normal(0, 0.1, (wrong.sum(), 2))
    observations = Observations(observations.keyframes, observations.landmarks, points)
    free = np.arange(2, 5)
    found = Window(free, landmarks, observations, NOISE).adjust(true, 30, least_gain=0)
    errors = [np.abs(twist_of(inverse(found.poses[row]) @ true[row])).max() for row in free]
    assert max(errors) < 0.02
    assert (found.squared[wrong] > 25).mean() > 0.8 and (found.squared[~wrong] > 25).mean() < 0.05


def test_without_observations_depths_stay_at_what_was_expected():
    true, landmarks, observations = scene(deviation=0.4)
    none = observations[np.zeros(len(observations), bool)]
    found = Window(np.array([1]), landmarks, none, NOISE).adjust(true)
    np.testing.assert_allclose(found.poses, true, atol=1e-15)
    np.testing.assert_array_equal(found.log_inverse_depths, landmarks.priors)
    np.testing.assert_allclose(found.variances, 0.16)
