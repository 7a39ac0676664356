"""The figures of a run of odometry against the truth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odometry_run import Run
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from monodepth_ros.evaluation.odometry_consistency import (
    SPANS,
    consistency_metrics,
    normalised_errors,
)
from monodepth_ros.evaluation.odometry_metrics import evaluate_odometry
from monodepth_ros.evaluation.scale.drift import scale_drift
from monodepth_ros.evaluation.trajectory import Trajectory

Poses = NDArray[np.float64]
_STANDING = 0.01  # metres: a recording whose truth moves less stands still


def figures(run: Run) -> dict[str, Any]:
    """All of a run; those that its truth does not allow are left out."""
    known = np.array([pose is not None for pose in run.truth])
    found: dict[str, Any] = {
        "frames": len(run.events),
        "events": dict(Counter(run.events)),
        "methods": {name: n / len(run.methods) for name, n in Counter(run.methods).items()},
        "fallbacks": dict(Counter(filter(None, run.fallbacks))),
        "final_distance": float(np.linalg.norm(run.poses[-1][:3, 3])),
        "latency": latency(run),
    }
    if known.sum() < 3:
        return found
    estimate = np.array(run.poses)[known]
    truth = np.array([pose for pose in run.truth if pose is not None])
    found["length_m"] = path_length(truth)
    if path_length(truth) < _STANDING or path_length(estimate) == 0:
        return found
    found |= trajectory_errors(estimate, truth)
    fresh = np.array(run.fresh)[known]
    fresh[0] = True
    found["noise"] = noise_model(estimate[fresh], truth[fresh])
    found["ate_true_steps_m"] = _ate(true_lengths(estimate[fresh], truth[fresh]), truth[fresh])
    found["scale_drift"] = vars(scale_drift(estimate, truth))
    if run.has_covariance:
        scale, stated = found["scale"], np.array(run.covariances)[known]
        errors = [normalised_errors(estimate, truth, stated, scale, span) for span in SPANS]
        found["consistency"] = consistency_metrics(errors)
        found["consistency"] |= {f"nees_{e.span}_share_inside": e.share_inside for e in errors}
    return found


def latency(run: Run) -> dict[str, float]:
    """Milliseconds of processor time a frame, one thread; by the clock the same on an idle machine.

    The first two frames load what the others use.
    """
    times, clock = (
        np.array(found[2:] or found) for found in (run.cpu_milliseconds, run.milliseconds)
    )
    median, p95 = np.percentile(times, (50, 95))
    return {
        "mean_ms": float(times.mean()),
        "median_ms": float(median),
        "p95_ms": float(p95),
        "max_ms": float(times.max()),
        "clock_median_ms": float(np.median(clock)),
        "clock_p95_ms": float(np.percentile(clock, 95)),
        "frames_with_depth": run.depth_runs / len(run.milliseconds),
        "depth_share_of_time": run.depth_milliseconds / sum(run.cpu_milliseconds),
    }


def trajectory_errors(estimate: Poses, truth: Poses) -> dict[str, float]:
    """What `monodepth evaluate odometry` gives after 7-DoF alignment, and the ATE after 6-DoF."""
    keys = np.arange(len(truth), dtype=float)
    pair = Trajectory(keys, estimate), Trajectory(keys, truth)
    errors = evaluate_odometry(*pair).errors
    rigid = evaluate_odometry(*pair, alignment="6dof").errors
    return {**vars(errors), "ate_6dof_m": rigid.ate_m}


def path_length(poses: Poses) -> float:
    """Of the way through all positions."""
    return float(np.linalg.norm(np.diff(poses[:, :3, 3], axis=0), axis=1).sum())


def true_lengths(estimate: Poses, truth: Poses) -> Poses:
    """The chain of the estimate's steps, each as long as the true one."""
    chain = [np.eye(4)]
    for step, true in zip(steps_of(estimate), steps_of(truth), strict=True):
        length = np.linalg.norm(step[:3, 3])
        scaled = step.copy()
        scaled[:3, 3] *= np.linalg.norm(true[:3, 3]) / length if length > 0 else 0.0
        chain.append(chain[-1] @ scaled)
    return np.array(chain)


def steps_of(poses: Poses) -> Poses:
    """``T_k_k+1`` of successive rows."""
    return np.linalg.inv(poses[:-1]) @ poses[1:]


def noise_model(estimate: Poses, truth: Poses) -> dict[str, float]:
    """How wrong a step is by what it moved and turned: the ratios of the tracker's noise.

    Steps are scaled by the median ratio of true to estimated lengths. The error by axis is
    regressed, without negative coefficients, on what was moved, what was turned, and one.
    """
    estimated, true = steps_of(estimate), steps_of(truth)
    moved = np.linalg.norm(true[:, :3, 3], axis=1)
    lengths = np.linalg.norm(estimated[:, :3, 3], axis=1)
    steady = (moved > 0.2 * np.median(moved)) & (lengths > 0)
    scale = np.median(moved[steady] / lengths[steady]) if steady.any() else 1.0
    turned = Rotation.from_matrix(true[:, :3, :3]).magnitude()
    off = scale * estimated[:, :3, 3] - true[:, :3, 3]
    shift = np.sqrt((off**2).mean(1))
    turn = Rotation.from_matrix(
        estimated[:, :3, :3].swapaxes(1, 2) @ true[:, :3, :3]
    ).magnitude() / np.sqrt(3)
    one = np.ones(len(moved))
    by_translation, _ = nnls(np.stack([moved, turned, one], 1), shift)
    by_rotation, _ = nnls(np.stack([turned, one], 1), turn)
    return {
        "moved_median_m": float(np.median(moved)),
        "turned_median_rad": float(np.median(turned)),
        "translation_error_median_m": float(np.median(shift)),
        "rotation_error_median_rad": float(np.median(turn)),
        "translation_noise": float(by_translation[0]),
        "turning_noise_m_per_rad": float(by_translation[1]),
        "translation_floor_m": float(by_translation[2]),
        "rotation_noise": float(by_rotation[0]),
        "rotation_floor_rad": float(by_rotation[1]),
    }


def _ate(estimate: Poses, truth: Poses) -> float:
    return trajectory_errors(estimate, truth)["ate_m"]
