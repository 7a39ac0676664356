"""Replays of bags whose clocks or bytes go wrong: no crash, and every image is accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_messages import SECOND, write_images
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.evaluation.trajectory import read_trajectory
from monodepth_ros.stamps import AHEAD, UNSTAMPED

COUNT = 12
RECORDED = 1_700_000_000 * SECOND
WALL = [RECORDED + i * SECOND // 10 for i in range(COUNT)]
HOUR = 3600 * SECOND
TOPIC = "/front/image_raw"


def replayed(bag: Path, out: Path, *options: str) -> tuple[dict[str, float], str]:
    result = CliRunner().invoke(
        app, ["replay", str(bag), "--out", str(out), "--device", "cpu", *options]
    )
    assert result.exit_code == 0, result.output
    return json.loads((out / "metrics.json").read_text()), (out / "report.html").read_text()


@pytest.mark.parametrize(
    "wrong, reason", [(0, UNSTAMPED), (WALL[4] + HOUR, AHEAD)], ids=["zero", "an hour ahead"]
)
def test_an_outlier_costs_its_frame_and_moves_nothing(
    wrong: int, reason: str, tmp_path: Path
) -> None:
    stamps = [wrong if i == 4 else stamp for i, stamp in enumerate(WALL)]
    figures, page = replayed(write_images(tmp_path / "bag", stamps), tmp_path / "out")
    assert figures["frames"] == COUNT - 1
    assert f"1 left out: {reason}" in page
    found = read_trajectory(tmp_path / "out/odometry.tum", "tum")
    np.testing.assert_allclose(found.keys, [s / SECOND for s in WALL if s != WALL[4]])


def test_a_clock_that_was_set_gives_a_trajectory_for_each_stretch(tmp_path: Path) -> None:
    stamps = [stamp - (HOUR if i >= 5 else 0) for i, stamp in enumerate(WALL)]
    figures, page = replayed(write_images(tmp_path / "bag", stamps), tmp_path / "out")
    assert figures["frames"] == COUNT and f"{TOPIC}: the clock was set back" in page
    first = read_trajectory(tmp_path / "out/odometry.tum", "tum")
    second = read_trajectory(tmp_path / "out/odometry_2.tum", "tum")
    assert (len(first), len(second)) == (5, COUNT - 5)
    np.testing.assert_allclose(second.poses[0], first.poses[-1])  # odometry does not jump
    rows = (tmp_path / "out/frames.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == [i / 10 for i in range(COUNT)]
    assert [row.split(",")[2] for row in rows].count("restart") == 1


def test_a_driver_that_does_not_stamp_is_replayed_by_the_recorded_times(tmp_path: Path) -> None:
    bag = write_images(tmp_path / "bag", [0] * COUNT)
    figures, page = replayed(bag, tmp_path / "out")
    assert figures["frames"] == COUNT and "does not stamp; the recorded times are used" in page
    assert len(read_trajectory(tmp_path / "out/odometry.tum", "tum")) == COUNT
