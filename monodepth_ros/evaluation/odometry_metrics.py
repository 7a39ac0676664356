"""Trajectory errors: KITTI segments (t_err, r_err), ATE, RPE and the 5-frame snippet ATE."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.alignment import Similarity, align
from monodepth_ros.evaluation.trajectory import Trajectory, match_by_frame, match_by_stamp
from monodepth_ros.geometry.rigid_motion import rotation_angle

SEGMENT_LENGTHS_M = (100, 200, 300, 400, 500, 600, 700, 800)
SEGMENT_START_STEP = 10
SNIPPET_FRAMES = 5

Poses = NDArray[np.float64]  # Nx4x4, T_world_camera


@dataclass(frozen=True)
class OdometryErrors:
    """All metrics of one trajectory; NaN where the trajectory is too short for one."""

    t_err_percent: float
    r_err_deg_per_100m: float
    ate_m: float
    rpe_m: float
    rpe_deg: float
    snippet_ate_m: float
    scale: float


@dataclass(frozen=True)
class OdometryEvaluation:
    """The errors with what plots and per-frame tables need."""

    errors: OdometryErrors
    estimate: Trajectory  # aligned, at the common frames
    truth: Trajectory  # from its pose at the first common frame, at the common frames
    truth_frames: int
    rows: NDArray[np.intp]  # of the estimate as it was given, at the common frames

    @property
    def position_errors(self) -> NDArray[np.float64]:
        """Distance of aligned estimate and truth at each common frame, metres."""
        return np.linalg.norm(self.estimate.positions - self.truth.positions, axis=1)


def evaluate_odometry(
    estimate: Trajectory,
    truth: Trajectory,
    format: str = "kitti",
    alignment: str = "7dof",
    max_stamp_difference: float = 0.02,
) -> OdometryEvaluation:
    """Compare `estimate` with `truth` as the public KITTI odometry toolbox does.

    Frames pair by index (`kitti`) or stamp (`tum`); both trajectories start at the identity at the
    first common frame; the estimate is aligned; the errors follow. KITTI segments are laid along
    the whole truth, frames that were not estimated included, and count where both their ends were.
    UserError when fewer than two frames are common.
    """
    whole, stamped = truth, format == "tum"
    if stamped:
        rows = match_by_stamp(estimate, truth, max_stamp_difference)
        # A truth of another rate than the estimate has no frames that "were not estimated".
        truth = Trajectory(truth.keys[rows >= 0], truth.poses[rows >= 0], truth.name)
        rows = rows[rows >= 0]
    else:
        rows = match_by_frame(estimate, truth)
    common = np.flatnonzero(rows >= 0)
    if len(common) < 2:
        raise UserError(
            f"{estimate.name} and {whole.name} have {len(common)} common frames, at least 2 are "
            "needed: check that they are of the same sequence and format"
            + (f"; their nearest stamps are {_apart(estimate, whole):g} s apart" if stamped else "")
        )
    truth = truth.starting_at_identity(int(common[0]))
    paired = Trajectory(
        truth.keys[common], estimate.poses[rows[common]], estimate.name
    ).starting_at_identity()
    paired_truth = Trajectory(paired.keys, truth.poses[common], truth.name)
    similarity = align(paired.positions, paired_truth.positions, alignment)
    aligned = Trajectory(paired.keys, similarity.apply_to_poses(paired.poses), estimate.name)

    filled = np.full_like(truth.poses, np.nan)
    filled[common] = aligned.poses
    t_err, r_err = segment_errors(filled, truth.poses)
    rpe_m, rpe_deg = relative_pose_errors(aligned.poses, paired_truth.poses)
    errors = OdometryErrors(
        t_err_percent=100 * t_err,
        r_err_deg_per_100m=100 * float(np.degrees(r_err)),
        ate_m=absolute_trajectory_error(aligned.poses, paired_truth.poses),
        rpe_m=float(rpe_m.mean()),
        rpe_deg=float(np.degrees(rpe_deg.mean())),
        snippet_ate_m=float(snippet_errors(paired.poses, paired_truth.poses).mean()),
        scale=similarity.scale,
    )
    return OdometryEvaluation(errors, aligned, paired_truth, len(truth), rows[common])


def mean_errors(evaluations: Iterable[OdometryEvaluation]) -> dict[str, float]:
    """Each figure's mean over the sequences that are long enough for it."""
    rows = [asdict(evaluation.errors) for evaluation in evaluations]
    metrics = {}
    for key in rows[0]:
        known = [row[key] for row in rows if np.isfinite(row[key])]
        metrics[key] = float(np.mean(known)) if known else np.nan
    return metrics


FEWEST_POSES = 5  # with fewer, an alignment fits anything


def try_to_align(estimate: Poses, truth: Poses) -> Similarity | None:
    """What aligns the poses with 7 DoF; None for too few, and while nothing has moved."""
    if len(estimate) < FEWEST_POSES:
        return None
    try:
        return align(estimate[:, :3, 3], truth[:, :3, 3], "7dof")
    except UserError:
        return None


def aligned_metrics(estimate: Poses, truth: Poses) -> dict[str, float]:
    """ATE, mean RPE, the scale of the 7-DoF alignment, the truth's length; empty without it."""
    alignment = try_to_align(estimate, truth)
    if alignment is None:
        return {}
    aligned = alignment.apply_to_poses(estimate)
    rpe_m, rpe_rad = (errors.mean() for errors in relative_pose_errors(aligned, truth))
    return {
        "ate_m": absolute_trajectory_error(aligned, truth),
        "rpe_m": float(rpe_m),
        "rpe_deg": float(np.degrees(rpe_rad)),
        "scale": float(alignment.scale),
        "length_m": float(np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1).sum()),
    }


def _apart(estimate: Trajectory, truth: Trajectory) -> float:
    """Seconds between the two nearest stamps of two trajectories."""
    after = np.searchsorted(truth.keys, estimate.keys)
    beside = [after.clip(max=len(truth) - 1), (after - 1).clip(min=0)]
    return float(min(np.abs(truth.keys[rows] - estimate.keys).min() for rows in beside))


def segment_errors(estimate: Poses, truth: Poses) -> tuple[float, float]:
    """Mean KITTI segment drift: translation (m/m) and rotation (rad/m); NaN without a segment.

    `truth` holds every frame, `estimate` the same frames with NaN poses where there is none. From
    every 10th frame of the truth, segments of 100, 200, ... 800 m along its path; a segment ends at
    the first frame beyond the length (A. Geiger et al., CVPR 2012, development kit).
    """
    estimated = ~np.isnan(estimate[:, 0, 0])
    steps = np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1)
    distance = np.concatenate([[0.0], np.cumsum(steps)])
    starts = np.arange(0, len(truth), SEGMENT_START_STEP)
    translation, rotation = [], []
    for length in SEGMENT_LENGTHS_M:
        ends = np.searchsorted(distance, distance[starts] + length, side="right")
        inside = ends < len(truth)
        first, last = starts[inside], ends[inside]
        both = estimated[first] & estimated[last]
        first, last = first[both], last[both]
        error = np.linalg.inv(_motion(estimate, first, last)) @ _motion(truth, first, last)
        translation.append(np.linalg.norm(error[:, :3, 3], axis=1) / length)
        rotation.append(rotation_angle(error[:, :3, :3]) / length)
    t, r = np.concatenate(translation), np.concatenate(rotation)
    return (float(t.mean()), float(r.mean())) if len(t) else (np.nan, np.nan)


def absolute_trajectory_error(estimate: Poses, truth: Poses) -> float:
    """Root mean square distance of positions, metres; align before."""
    return float(np.sqrt(((estimate[:, :3, 3] - truth[:, :3, 3]) ** 2).sum(1).mean()))


def relative_pose_errors(
    estimate: Poses, truth: Poses
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Translation (m) and rotation (rad) error of each motion between consecutive rows."""
    first, last = np.arange(len(truth) - 1), np.arange(1, len(truth))
    error = np.linalg.inv(_motion(truth, first, last)) @ _motion(estimate, first, last)
    return np.linalg.norm(error[:, :3, 3], axis=1), rotation_angle(error[:, :3, :3])


def snippet_errors(estimate: Poses, truth: Poses) -> NDArray[np.float64]:
    """The scaled position error of each 5-frame snippet (T. Zhou et al., CVPR 2017), metres.

    As the field computes it: the motions T_{k->k+1} = inv(P_{k+1}) P_k are chained un-inverted, the
    translations scaled by one least-squares factor, the error is the root of the *sum* of squares
    divided by the number of points. One snippet starts at every row but the last; those at the end
    are shorter.
    """
    first, last = np.arange(len(truth) - 1), np.arange(1, len(truth))
    pred_motion, true_motion = _motion(estimate, last, first), _motion(truth, last, first)
    errors = []
    for start in range(len(true_motion)):
        window = slice(start, start + SNIPPET_FRAMES - 1)
        pred, true = _chained(pred_motion[window]), _chained(true_motion[window])
        squares = (pred**2).sum()
        scale = (true * pred).sum() / squares if squares > 0 else 0.0
        errors.append(np.sqrt(((scale * pred - true) ** 2).sum()) / len(true))
    return np.array(errors)


def _motion(poses: Poses, first: NDArray[np.intp], last: NDArray[np.intp]) -> Poses:
    """Pose of rows `last` seen from rows `first`."""
    return np.linalg.inv(poses[first]) @ poses[last]


def _chained(motions: Poses) -> NDArray[np.float64]:
    """Translations of the running products I, M0, M0 M1, ...: (len(motions) + 1)x3."""
    product = np.eye(4)
    points = [product[:3, 3]]
    for motion in motions:
        product = product @ motion
        points.append(product[:3, 3])
    return np.stack(points)
