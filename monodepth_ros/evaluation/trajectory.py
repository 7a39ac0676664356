"""Camera trajectories: the KITTI and TUM text formats, and pairing an estimate with the truth."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.known_pose import UNKNOWN, pose_of_matrix, pose_of_quaternion
from monodepth_ros.errors import UserError

FORMATS = ("kitti", "tum")
# Rounding to two decimals passes, another quantity in its place does not.
QUATERNION_TOLERANCE = 0.01
ROTATION_TOLERANCE = 0.01
_NANOSECONDS = 1e17  # of a stamp: more is no second of this era
_EUROC_COLUMNS = 17


@dataclass(frozen=True)
class Trajectory:
    """Poses T_world_camera (Nx4x4 float64) at strictly increasing keys.

    A key is a frame index (KITTI) or a stamp in seconds (TUM). ``unknown`` are the lines of its
    file that state no pose (see `known_pose`); they are left out. ``covariances`` (N, 6, 6) are
    those of position and rotation in the world's axes, None where nobody stated them.
    """

    keys: NDArray[np.float64]
    poses: NDArray[np.float64]
    name: str = "trajectory"
    unknown: tuple[int, ...] = ()
    covariances: NDArray[np.float64] | None = None

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

    Numbers are separated by blanks or commas, `#` starts a comment. `kitti`: a line per frame with
    the 12 entries of [R|t] row by row, or the 16 of a 4x4 matrix; 13 are a frame index and 12
    entries, otherwise line k is frame k. `tum`: `stamp tx ty tz qx qy qz qw`. EuRoC's csv is read
    as `tum`: it is told by a header that names the quaternion's w first, or by its 17 columns.
    Stamps are in seconds, or in nanoseconds since 1970.
    """
    if format not in FORMATS:
        raise UserError(f"unknown trajectory format '{format}': use one of {', '.join(FORMATS)}")
    path = Path(path)
    header, lines = _numeric_lines(path)
    parse = _kitti_row if format == "kitti" else _stamped_parser(header)
    keys: list[float] = []
    poses: list[NDArray[np.float64]] = []
    unknown: list[int] = []
    last: _Line | None = None
    for row, line in enumerate(lines):
        where = f"{path}:{line.number}"
        key, pose = parse(line.values, row, where)
        if pose is None:
            unknown.append(line.number)
            continue
        if last is not None and key <= keys[-1]:
            raise UserError(
                f"{where}: frame or stamp {line.fields[0]} is not after {last.fields[0]} of line"
                f" {last.number}{': it is repeated' if key == keys[-1] else ''}"
            )
        keys.append(key)
        poses.append(pose)
        last = line
    if not keys:
        unusable = f": all {len(unknown)} are {UNKNOWN}" if unknown else ""
        raise UserError(f"{path}: no pose in it; a trajectory needs at least one{unusable}")
    return Trajectory(np.array(keys), np.stack(poses), str(path), tuple(unknown))


def write_trajectory(trajectory: Trajectory, path: str | Path) -> None:
    """Write ``trajectory`` as TUM, whose keys are stamps in seconds."""
    quaternions = Rotation.from_matrix(trajectory.poses[:, :3, :3]).as_quat()
    rows = np.column_stack([trajectory.keys, trajectory.positions, quaternions])
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


_KeyAndPose = tuple[float, NDArray[np.float64] | None]  # None: the line states no pose


class _Line(NamedTuple):
    number: int  # from 1
    fields: list[str]
    values: list[float]


def _numeric_lines(path: Path) -> tuple[str, list[_Line]]:
    """The header, as far as there is one, and the lines of numbers."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows put a BOM
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable trajectory file ({error})") from error
    header = ""
    lines: list[_Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content, _, comment = line.partition("#")
        fields = content.replace(",", " ").split()
        if not lines and not header and _quaternion_order(comment or content):
            header = comment or content
            continue
        if not fields:
            continue
        try:
            values = [float(field) for field in fields]
        except ValueError:
            raise UserError(f"{path}:{number}: not numbers: '{line.strip()[:60]}'") from None
        lines.append(_Line(number, fields, values))
    return header, lines


def _quaternion_order(header: str) -> str:
    """`wxyz` or `xyzw` as a header names it, for example EuRoC's `q_RS_w []`; else empty."""
    w, x = (re.search(rf"\bq\w*{axis}\b", header) for axis in "wx")
    if w is None or x is None:
        return ""
    return "wxyz" if w.start() < x.start() else "xyzw"


def _kitti_row(values: list[float], row: int, where: str) -> _KeyAndPose:
    whole = len(values) == 16 and values[12:] == [0, 0, 0, 1]
    if len(values) not in (12, 13) and not whole:
        raise UserError(
            f"{where}: {len(values)} numbers; a KITTI pose has 12, or 13 with the frame index first"
        )
    frame = values[0] if len(values) == 13 else float(row)
    if not frame.is_integer():
        raise UserError(f"{where}: frame index {frame:g} is not a whole number")
    pose = pose_of_matrix(values if whole else values[-12:])
    if pose is None:
        return frame, None
    rotation = pose[:3, :3]
    if (
        np.abs(rotation @ rotation.T - np.eye(3)).max() > ROTATION_TOLERANCE
        or np.linalg.det(rotation) < 0
    ):
        raise UserError(f"{where}: the 3x3 part is not a rotation matrix")
    return frame, pose


def _stamped_parser(header: str) -> Callable[[list[float], int, str], _KeyAndPose]:
    """TUM's and EuRoC's rows: the header says the order of the quaternion and the stamps' unit."""
    order = _quaternion_order(header)
    nanoseconds = "[ns]" in header

    def parse(values: list[float], row: int, where: str) -> _KeyAndPose:
        stamp, count = values[0], len(values)
        in_nanoseconds = nanoseconds or stamp > _NANOSECONDS
        euroc = count >= 8 and order == "wxyz" or count == _EUROC_COLUMNS and in_nanoseconds
        if count != 8 and not euroc:
            raise UserError(
                f"{where}: {count} numbers; a TUM pose has 8: stamp tx ty tz qx qy qz qw; EuRoC's"
                " csv is known by a header that names q_w first, or by 17 columns"
            )
        if not np.isfinite(stamp):
            raise UserError(f"{where}: the stamp is not finite")
        quaternion = [*values[5:8], values[4]] if euroc else values[4:8]
        pose = pose_of_quaternion(values[1:4], quaternion)
        norm = float(np.linalg.norm(quaternion))
        if pose is not None and abs(norm - 1) > QUATERNION_TOLERANCE:
            raise UserError(f"{where}: quaternion of norm {norm:.4g}; it must be 1")
        return stamp / 1e9 if in_nanoseconds else stamp, pose

    return parse
