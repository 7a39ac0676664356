"""Covariances in files: bit for bit there and back, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.covariance_file import read_covariances, write_covariances
from monodepth_ros.evaluation.trajectory import Trajectory

KEYS = 1_700_000_000 + np.arange(5) / 30


def trajectory(keys: np.ndarray) -> Trajectory:
    return Trajectory(keys, np.tile(np.eye(4), (len(keys), 1, 1)), "run.tum")


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, np.ndarray]:
    roots = np.random.default_rng(0).normal(size=(5, 6, 6))
    covariances = roots @ roots.swapaxes(1, 2)
    covariances = 0.5 * (covariances + covariances.swapaxes(1, 2))
    write_covariances(tmp_path / "c.csv", trajectory(KEYS), covariances)
    return tmp_path / "c.csv", covariances


def test_what_is_written_is_read(stored: tuple[Path, np.ndarray]) -> None:
    path, covariances = stored
    np.testing.assert_array_equal(read_covariances(path, trajectory(KEYS)), covariances)


def test_poses_find_theirs_by_stamp(stored: tuple[Path, np.ndarray]) -> None:
    path, covariances = stored
    some = read_covariances(path, trajectory(KEYS[[1, 4]] + 2e-7))
    np.testing.assert_array_equal(some, covariances[[1, 4]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:3], "no covariance of 3 of 5 poses of run.tum"),
        (lambda rows: [rows[0], rows[1] + ",1"], ":2: 38 numbers"),
        (lambda rows: [rows[0], rows[1].replace(",", ",x", 1)], ":2: not numbers"),
        (lambda rows: [rows[0], rows[2], rows[1]], ":3: stamp"),
        (lambda rows: [rows[0], ",".join(["1", "1", "9", *["0"] * 34])], ":2: no covariance"),
        (lambda rows: [rows[0], ",".join(["1", "nan", *["0"] * 35])], ":2: a number is not"),
        (lambda rows: rows[:1], "no covariance in it"),
    ],
)
def test_what_is_wrong_is_named(stored: tuple[Path, np.ndarray], change, message: str) -> None:
    path, _ = stored
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(UserError, match=message):
        read_covariances(path, trajectory(KEYS))
