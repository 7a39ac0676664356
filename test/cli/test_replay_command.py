"""`monodepth replay`: the same bytes twice, figures where there is truth, pages that compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))

from bag_messages import FRAMES, write_drive

from monodepth_ros.cli.app import app
from monodepth_ros.evaluation.replay_record import ReplayRecord
from monodepth_ros.evaluation.trajectory import read_trajectory

TRUTH = ["--depth", "/front/depth/image", "--poses", "/odom"]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["replay", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("bags") / "drive")


@pytest.fixture(scope="module")
def replayed(drive: Path) -> Path:
    out = drive.parent / "replayed"
    run(str(drive), "--out", str(out), "--device", "cpu", *TRUTH)
    return out


def test_the_report_and_its_figures(replayed: Path) -> None:
    figures = json.loads((replayed / "metrics.json").read_text())
    assert figures["frames"] == FRAMES
    assert {"abs_rel", "a1", "ate_m", "rpe_deg", "depth_seq_scale_std"} <= figures.keys()
    assert figures["length_m"] == pytest.approx(0.1 * (FRAMES - 1), rel=1e-3)
    page = (replayed / "report.html").read_text()
    for file in ("error_map.png", "error_over_time.png", "trajectory.png", "frame_000000.png"):
        assert file in page and (replayed / file).stat().st_size > 1000
    assert len(read_trajectory(replayed / "odometry.tum", "tum")) == FRAMES
    assert len((replayed / "frames.csv").read_text().splitlines()) == FRAMES + 1


def test_two_runs_give_the_same_bytes(drive: Path, replayed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run(str(drive), "--out", str(again), "--device", "cpu", *TRUTH)
    names = {file.name for file in replayed.iterdir()}
    assert names == {file.name for file in again.iterdir()}
    for name in names:
        if not name.startswith("timing") and name != "replay.rrd":
            assert (replayed / name).read_bytes() == (again / name).read_bytes(), name


def test_without_truth_there_are_depth_and_a_way_all_the_same(drive: Path, tmp_path: Path) -> None:
    figures = json.loads(run(str(drive), "--out", str(tmp_path / "out"), "--every", "2", "--json"))
    left_out = {"between every n-th image": FRAMES // 2}
    account = {"left_out": left_out, "coverage": [], "problems": []}
    assert figures == {"frames": FRAMES / 2, **account}
    assert (tmp_path / "out/trajectory.png").is_file()


def test_replays_beside_each_other(replayed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("metrics.json", "frames.csv"):
        (other / name).write_bytes((replayed / name).read_bytes())
    out = tmp_path / "compared"
    compared = json.loads(run("--compare", str(replayed), str(other), "--out", str(out), "--json"))
    assert compared["replayed"] == compared["other"]
    assert (out / "compare.html").is_file() and (out / "compared_error.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_bag.mcap"], "no_such_bag"),
        (["--compare", "one"], "at least two"),
        (["--compare", "one", "two"], "not the folder of a replay"),
        (["one", "two"], "one bag at a time"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["replay", *arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2 and message in result.output


def test_the_error_map_and_the_scale_of_a_known_error() -> None:
    record = ReplayRecord()
    truth = np.full((8, 12), 2.0, np.float32)
    depth = np.full((4, 6), 1.0, np.float32)
    depth[:, :1] = 1.5
    truth[0] = np.nan
    for number in range(6):
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        true_pose = np.eye(4)
        true_pose[0, 3] = 0.2 * number
        record.add(number * 10**8, depth, truth, pose, "motion", true_pose)
    errors = record.error_map()
    assert errors is not None and errors[1:, 0] == pytest.approx(0.5)
    assert errors[1:, 1:] == pytest.approx(0.0)
    assert np.isnan(errors[0]).all()
    figures = record.figures()
    assert figures["ate_m"] == pytest.approx(0, abs=1e-9) and figures["scale"] == pytest.approx(2)
    assert figures["pose_depth_log_ratio_median"] == pytest.approx(0, abs=1e-6)
