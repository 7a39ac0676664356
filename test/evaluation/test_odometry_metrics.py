"""Odometry figures: closed forms, loops, invariances, and a published table."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.odometry_metrics import (
    absolute_trajectory_error,
    evaluate_odometry,
    relative_pose_errors,
    segment_errors,
    snippet_errors,
)
from monodepth_ros.evaluation.trajectory import Trajectory, read_trajectory


def straight_drive(count, step=1.0):
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 2, 3] = step * np.arange(count)
    return poses


def winding_drive(count=260, seed=0, step=1.0):
    random = np.random.default_rng(seed)
    poses, pose = [], np.eye(4)
    for _ in range(count):
        poses.append(pose)
        motion = np.eye(4)
        motion[:3, :3] = Rotation.from_rotvec(random.normal(0, 0.03, 3)).as_matrix()
        motion[:3, 3] = [0, 0, step * random.uniform(0.5, 1.5)]
        pose = pose @ motion
    return np.stack(poses)


def noisy(poses, seed=1):
    random = np.random.default_rng(seed)
    noise = np.tile(np.eye(4), (len(poses), 1, 1))
    noise[:, :3, :3] = Rotation.from_rotvec(random.normal(0, 0.01, (len(poses), 3))).as_matrix()
    noise[:, :3, 3] = random.normal(0, 0.1, (len(poses), 3))
    return poses @ noise


def trajectory(poses, first=0):
    return Trajectory(np.arange(first, first + len(poses), dtype=float), poses)


def segments_by_loop(estimate, truth):
    distance = [0.0]
    for a, b in zip(truth, truth[1:], strict=False):
        distance.append(distance[-1] + np.linalg.norm(b[:3, 3] - a[:3, 3]))
    t, r = [], []
    for first in range(0, len(truth), 10):
        for length in range(100, 900, 100):
            last = next(
                (j for j in range(first, len(truth)) if distance[j] > distance[first] + length),
                None,
            )
            if last is None or np.isnan(estimate[[first, last]]).any():
                continue
            pred = np.linalg.inv(estimate[first]) @ estimate[last]
            true = np.linalg.inv(truth[first]) @ truth[last]
            error = np.linalg.inv(pred) @ true
            t.append(np.linalg.norm(error[:3, 3]) / length)
            r.append(math.acos(min(1, (np.trace(error[:3, :3]) - 1) / 2)) / length)
    return np.mean(t), np.mean(r)


def test_segment_errors_equal_a_loop():
    truth = winding_drive()
    estimate = noisy(truth)
    estimate[:3] = np.nan
    estimate[130] = np.nan
    assert segment_errors(estimate, truth) == pytest.approx(segments_by_loop(estimate, truth))


def test_scaled_straight_drive_drifts_by_its_scale():
    truth = straight_drive(202)
    t, r = segment_errors(straight_drive(202, 1.02), truth)
    # A segment ends at the first frame beyond its length: 101 m for 100 m, 201 m for 200 m.
    count_100, count_200 = len(range(0, 101, 10)), 1
    expected = (count_100 * 0.02 * 101 / 100 + count_200 * 0.02 * 201 / 200) / 12
    assert t == pytest.approx(expected)
    assert r == 0


def test_constant_turn_gives_its_angle_per_metre():
    truth = straight_drive(150)
    estimate = truth.copy()
    yaw = Rotation.from_euler("y", 1e-3 * np.arange(150)[:, None]).as_matrix()
    estimate[:, :3, :3] = yaw
    assert segment_errors(estimate, truth)[1] == pytest.approx(1e-3 * 101 / 100)


def test_short_drive_has_no_segment():
    assert np.isnan(segment_errors(straight_drive(50), straight_drive(50))).all()


def test_absolute_error_of_a_constant_offset():
    truth = straight_drive(5)
    estimate = truth.copy()
    estimate[:, :3, 3] += [3, 4, 0]
    assert absolute_trajectory_error(estimate, truth) == pytest.approx(5)


def test_relative_errors_of_a_scaled_turning_drive():
    truth = straight_drive(4)
    estimate = straight_drive(4, 1.5)
    estimate[:, :3, :3] = Rotation.from_euler("z", 0.1 * np.arange(4)[:, None]).as_matrix()
    translation, rotation = relative_pose_errors(estimate, truth)
    np.testing.assert_allclose(translation, 0.5)
    np.testing.assert_allclose(rotation, 0.1)


def snippets_by_loop(estimate, truth):
    def motions(poses):
        return [np.linalg.inv(b) @ a for a, b in zip(poses, poses[1:], strict=False)]

    def points(window):
        product, out = np.eye(4), [np.zeros(3)]
        for motion in window:
            product = product @ motion
            out.append(product[:3, 3])
        return np.array(out)

    pred, true = motions(estimate), motions(truth)
    out = []
    for i in range(len(truth) - 1):
        p, g = points(pred[i : i + 4]), points(true[i : i + 4])
        scaled = p * np.sum(g * p) / np.sum(p**2)
        out.append(math.sqrt(np.sum((scaled - g) ** 2)) / len(g))
    return out


def test_a_microradian_is_told_exactly():
    truth = straight_drive(4)
    estimate = truth.copy()
    turn = Rotation.from_rotvec([0.0, 1e-6, 0.0]).as_matrix()
    for number in range(1, 4):  # each step turns a little more
        estimate[number, :3, :3] = np.linalg.matrix_power(turn, number)
    np.testing.assert_allclose(relative_pose_errors(estimate, truth)[1], 1e-6, rtol=1e-9)


def test_snippet_errors_equal_a_loop():
    truth = winding_drive(12)
    estimate = noisy(truth)
    np.testing.assert_allclose(snippet_errors(estimate, truth), snippets_by_loop(estimate, truth))


def test_snippet_error_ignores_scale_and_counts_a_still_estimate_in_full():
    truth = straight_drive(3)
    np.testing.assert_allclose(snippet_errors(straight_drive(3, 0.01), truth), 0, atol=1e-12)
    still = np.tile(np.eye(4), (3, 1, 1))
    np.testing.assert_allclose(snippet_errors(still, truth), [math.sqrt(1 + 4) / 3, 1 / 2])


def all_figures(evaluation):
    return np.array(dataclasses.astuple(evaluation.errors))


@pytest.mark.parametrize("alignment", ["none", "scale", "6dof", "7dof"])
def test_perfect_trajectory_has_no_error(alignment):
    truth = trajectory(winding_drive())
    *errors, scale = all_figures(evaluate_odometry(truth, truth, "kitti", alignment))
    np.testing.assert_allclose(errors, 0, atol=1e-5)
    assert scale == pytest.approx(1)


def test_seven_dof_errors_do_not_depend_on_scale_or_world():
    truth = winding_drive()
    estimate = noisy(truth)
    other = estimate.copy()
    other[:, :3, 3] *= 0.05
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = Rotation.from_rotvec([1, 2, 3]).as_matrix(), [7, -8, 9]
    a = all_figures(evaluate_odometry(trajectory(estimate), trajectory(truth)))
    b = all_figures(evaluate_odometry(trajectory(world @ other), trajectory(truth)))
    np.testing.assert_allclose(b[:-1], a[:-1], rtol=1e-7)
    assert b[-1] == pytest.approx(20 * a[-1])


def test_segments_are_laid_along_the_whole_truth():
    truth = winding_drive()
    estimate = noisy(truth)
    late = evaluate_odometry(trajectory(estimate[7:], first=7), trajectory(truth), "kitti", "none")
    holes = np.linalg.inv(estimate[7]) @ estimate
    holes[:7] = np.nan
    expected = segments_by_loop(holes, np.linalg.inv(truth[7]) @ truth)
    assert late.errors.t_err_percent / 100 == pytest.approx(expected[0])
    assert (late.truth_frames, len(late.truth)) == (260, 253)


def test_tum_trajectories_pair_by_stamp():
    truth = winding_drive()
    stamped = Trajectory(1000 + 0.005 * np.arange(len(truth)), truth)
    estimate = Trajectory(stamped.keys[::6] + 0.001, truth[::6])
    evaluation = evaluate_odometry(estimate, stamped, "tum", "7dof")
    assert len(evaluation.truth) == len(estimate)
    assert evaluation.errors.ate_m == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("format", ["kitti", "tum"])
def test_trajectories_without_common_frames_are_refused(format):
    with pytest.raises(UserError, match="0 common frames"):
        evaluate_odometry(
            trajectory(straight_drive(3), first=50), trajectory(straight_drive(5)), format
        )


def test_trajectories_of_different_length_use_the_common_frames():
    evaluation = evaluate_odometry(
        trajectory(straight_drive(40)), trajectory(straight_drive(30)), "kitti", "none"
    )
    assert len(evaluation.truth) == 30
    assert evaluation.errors.ate_m == 0
    assert math.isnan(evaluation.errors.t_err_percent)


PUBLISHED = {  # figures of the public KITTI odometry toolbox with 7-DoF alignment
    "09": ("2.884", "0.249", "8.387", "0.343", "0.063"),
    "10": ("3.298", "0.305", "6.630", "0.047", "0.066"),
}


@pytest.mark.parametrize("sequence", sorted(PUBLISHED))
def test_published_trajectories_give_the_published_figures(real_data, sequence):
    estimate = real_data / "kitti_odometry_results" / "example_0" / f"{sequence}.txt"
    truth = real_data / "kitti_odometry_poses" / f"{sequence}.txt"
    evaluation = evaluate_odometry(
        read_trajectory(estimate, "kitti"), read_trajectory(truth, "kitti"), "kitti", "7dof"
    )
    errors = evaluation.errors
    steps = [
        np.linalg.inv(poses[:-1]) @ poses[1:]
        for poses in (evaluation.truth.poses, evaluation.estimate.poses)
    ]
    left = (np.linalg.inv(steps[0]) @ steps[1])[:, :3, :3]
    # The toolbox takes the arccosine of the trace, which loses small angles: 1 % in the mean here.
    cosine = (np.trace(left, axis1=1, axis2=2) - 1) / 2
    toolbox = np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean()
    figures = errors.t_err_percent, errors.r_err_deg_per_100m, errors.ate_m, errors.rpe_m, toolbox
    assert tuple(f"{figure:.3f}" for figure in figures) == PUBLISHED[sequence]
    # As evo does it.
    exact = np.degrees(np.linalg.norm(Rotation.from_matrix(left).as_rotvec(), axis=1)).mean()
    assert errors.rpe_deg == pytest.approx(exact, rel=1e-5)
    assert toolbox < errors.rpe_deg < 1.02 * toolbox
