"""Camera trajectories: the KITTI and TUM text formats, and pairing an estimate with the truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError

FORMATS = ("kitti", "tum")
QUATERNION_TOLERANCE = (
    0.01  # rounding to two decimals passes, another quantity in its place does not
)
ROTATION_TOLERANCE = 0.01


@dataclass(frozen=True)
class Trajectory:
    """Poses T_world_camera (Nx4x4 float64) at strictly increasing keys.

    A key is a frame index (KITTI) or a stamp in seconds (TUM).
    """

    keys: NDArray[np.float64]
    poses: NDArray[np.float64]
    name: str = "trajectory"

    def __post_init__(self) -> None:
        if self.poses.shape != (len(self.keys), 4, 4):
            raise ValueError(f"{len(self.keys)} keys with poses of shape {self.poses.shape}")

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Camera centres in the world, Nx3 metres."""
        return self.poses[:, :3, 3]

    def starting_at_identity(self, reference: int = 0) -> "Trajectory":
        """The same motion seen from the camera of row `reference`."""
        return Trajectory(self.keys, np.linalg.inv(self.poses[reference]) @ self.poses, self.name)


def read_trajectory(path: str | Path, format: str) -> Trajectory:
    """Read a trajectory file; UserError naming file and line for anything malformed.

    `kitti`: a line per frame with the 12 entries of [R|t] row by row; a 13th, leading number is the
    frame index, otherwise line k is frame k. `tum`: `stamp tx ty tz qx qy qz qw`, `#` comments.
    """
    if format not in FORMATS:
        raise UserError(f"unknown trajectory format '{format}': use one of {', '.join(FORMATS)}")
    path = Path(path)
    parse = _kitti_row if format == "kitti" else _tum_row
    keys: list[float] = []
    poses: list[NDArray[np.float64]] = []
    for number, values in _numeric_lines(path):
        where = f"{path}:{number}"
        key, pose = parse(values, len(keys), where)
        if keys and key <= keys[-1]:
            raise UserError(f"{where}: frame or stamp {key:g} is not after {keys[-1]:g}")
        keys.append(key)
        poses.append(pose)
    if not keys:
        raise UserError(f"{path}: no pose in it; a trajectory needs at least one line")
    return Trajectory(np.array(keys), np.stack(poses), str(path))


def write_trajectory(trajectory: Trajectory, path: str | Path, format: str) -> None:
    """Write `trajectory`; KITTI lines carry the frame index unless the frames are 0, 1, 2, ..."""
    if format == "kitti":
        rows = trajectory.poses[:, :3].reshape(-1, 12)
        if not np.array_equal(trajectory.keys, np.arange(len(trajectory))):
            if np.any(trajectory.keys % 1):
                raise ValueError("KITTI trajectories are keyed by whole frame indices")
            rows = np.column_stack([trajectory.keys, rows])
    elif format == "tum":
        quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat()
        rows = np.column_stack([trajectory.keys, trajectory.positions, quaternions])
    else:
        raise UserError(f"unknown trajectory format '{format}': use one of {', '.join(FORMATS)}")
    with atomic_path(path) as temporary:
        lines = (" ".join(repr(float(value)) for value in row) for row in rows)
        temporary.write_text("".join(line + "\n" for line in lines))


def match_by_frame(estimate: Trajectory, truth: Trajectory) -> NDArray[np.intp]:
    """Row of `estimate` for each row of `truth`, -1 where the frame was not estimated."""
    rows = np.searchsorted(estimate.keys, truth.keys).clip(max=len(estimate) - 1)
    return np.where(estimate.keys[rows] == truth.keys, rows, -1)


def match_by_stamp(
    estimate: Trajectory, truth: Trajectory, max_difference: float = 0.02
) -> NDArray[np.intp]:
    """Row of `estimate` for each row of `truth`, -1 where none is within `max_difference` seconds.

    A pair is one where each is the other's nearest, so that no row serves twice and order is kept.
    """
    nearest = _nearest(estimate.keys, truth.keys)
    mutual = _nearest(truth.keys, estimate.keys)[nearest] == np.arange(len(truth))
    close = np.abs(estimate.keys[nearest] - truth.keys) <= max_difference
    return np.where(mutual & close, nearest, -1)


def _nearest(keys: NDArray[np.float64], queries: NDArray[np.float64]) -> NDArray[np.intp]:
    """Index of the increasing `keys` nearest to each query."""
    above = np.searchsorted(keys, queries).clip(max=len(keys) - 1)
    below = (above - 1).clip(min=0)
    return np.where(queries - keys[below] <= keys[above] - queries, below, above)


def _numeric_lines(path: Path) -> Iterator[tuple[int, list[float]]]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable trajectory file ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.partition("#")[0].split()
        if not fields:
            continue
        try:
            values = [float(field) for field in fields]
        except ValueError:
            raise UserError(f"{path}:{number}: not numbers: '{line.strip()[:60]}'") from None
        if not np.isfinite(values).all():
            raise UserError(f"{path}:{number}: a value is not finite")
        yield number, values


def _kitti_row(values: list[float], row: int, where: str) -> tuple[float, NDArray[np.float64]]:
    if len(values) not in (12, 13):
        raise UserError(
            f"{where}: {len(values)} numbers; a KITTI pose has 12, or 13 with the frame index first"
        )
    frame = values[0] if len(values) == 13 else float(row)
    if frame % 1:
        raise UserError(f"{where}: frame index {frame:g} is not a whole number")
    pose = np.eye(4)
    pose[:3] = np.reshape(values[-12:], (3, 4))
    rotation = pose[:3, :3]
    if (
        np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE
        or np.linalg.det(rotation) < 0
    ):
        raise UserError(f"{where}: the 3x3 part is not a rotation matrix")
    return frame, pose


def _tum_row(values: list[float], row: int, where: str) -> tuple[float, NDArray[np.float64]]:
    if len(values) != 8:
        raise UserError(
            f"{where}: {len(values)} numbers; a TUM pose has 8: stamp tx ty tz qx qy qz qw"
        )
    norm = float(np.linalg.norm(values[4:]))
    if abs(norm - 1) > QUATERNION_TOLERANCE:
        raise UserError(f"{where}: quaternion of norm {norm:.4g}; it must be 1")
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(values[4:]).as_matrix()
    pose[:3, 3] = values[1:4]
    return values[0], pose
