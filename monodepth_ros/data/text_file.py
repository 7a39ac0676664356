"""Numbers in text files, with errors that name the file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.known_pose import Poses, pose_of_matrix
from monodepth_ros.errors import UserError


def read_numbers(path: Path, columns: int | None = None) -> NDArray[np.float64]:
    """Rows of numbers separated by blanks or commas, float64 NxM; # starts a comment.

    Raises a UserError when the file is missing, holds another thing than numbers, or has not
    ``columns`` numbers in each row.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        values = line.split("#")[0].replace(",", " ").split()
        if not values:
            continue
        try:
            rows.append([float(value) for value in values])
        except ValueError as error:
            raise UserError(f"{path} line {number}: {error}") from error
        wanted = columns or len(rows[0])
        if len(rows[-1]) != wanted:
            raise UserError(f"{path} line {number}: {len(values)} numbers, expected {wanted}")
    if not rows:
        raise UserError(f"{path}: the file holds no numbers")
    return np.array(rows, dtype=np.float64)


def read_named_numbers(path: Path) -> dict[str, NDArray[np.float64]]:
    """Lines ``name: number number ...``, as KITTI's calibration; other values are passed over."""
    values = {}
    for line in read_lines(path):
        name, colon, text = line.partition(":")
        if not colon:
            continue
        try:
            values[name.strip()] = np.array([float(part) for part in text.split()])
        except ValueError:  # calib_time and the like
            continue
    return values


def read_named_matrix(path: Path, name: str, *shape: int) -> NDArray[np.float64]:
    """A matrix of :func:`read_named_numbers`; UserError where it is missing or of another size."""
    numbers = read_named_numbers(path).get(name)
    if numbers is None or numbers.size != math.prod(shape):
        raise UserError(f"{path}: no {name} of {math.prod(shape)} numbers")
    return numbers.reshape(shape)


def read_matrix(path: Path, rows: int, columns: int) -> NDArray[np.float64]:
    """One matrix, row by row; errors as :func:`read_numbers`."""
    numbers = read_numbers(path)
    if numbers.size != rows * columns:
        raise UserError(f"{path}: {numbers.size} numbers, expected {rows} x {columns}")
    return numbers.reshape(rows, columns)


def read_poses(path: Path) -> Poses:
    """One pose in each row, 12 (KITTI) or 16 numbers row by row, 4x4; None where it is unknown."""
    numbers = read_numbers(path)
    if numbers.shape[1] not in (12, 16):
        raise UserError(f"{path}: {numbers.shape[1]} numbers a row, a pose has 12 or 16")
    return [pose_of_matrix(row) for row in numbers]


def read_pose(path: Path) -> NDArray[np.float64] | None:
    """The 4x4 pose that is all of a file; None where it is unknown, or the file is missing."""
    return pose_of_matrix(read_matrix(path, 4, 4)) if path.exists() else None


def read_text(path: Path) -> str:
    """A text file, without a byte order mark; UserError where it cannot be read or is none."""
    try:
        return path.read_text(encoding="utf-8-sig")  # editors of Windows put a BOM
    except FileNotFoundError:
        raise UserError(f"{path}: the file is missing") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error}") from None


def read_lines(path: Path) -> list[str]:
    """The lines of :func:`read_text`."""
    return read_text(path).splitlines()
