"""`monodepth replay`: the same bytes twice, figures where there is truth, pages that compare."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_messages import FRAMES, write_drive
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.evaluation.covariance_file import read_covariances
from monodepth_ros.evaluation.trajectory import read_trajectory
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.replay.record import ReplayRecord

TRUTH = ["--depth", "/front/depth/image", "--poses", "/odom"]
NETWORK = ["--method", "network"]  # the images of the drive are too smooth for points


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
    run(str(drive), "--out", str(out), "--device", "cpu", *TRUTH, *NETWORK)
    return out


def test_the_report_and_its_figures(replayed: Path) -> None:
    figures = json.loads((replayed / "metrics.json").read_text())
    assert figures["frames"] == FRAMES
    assert {"abs_rel", "a1", "ate_m", "rpe_deg", "depth_seq_scale_std"} <= figures.keys()
    assert figures["length_m"] == pytest.approx(0.1 * (FRAMES - 1), rel=1e-3)
    page = (replayed / "report.html").read_text()
    for file in ("error_map.png", "error_over_time.png", "trajectory.png", "frame_000000.png"):
        assert file in page and (replayed / file).stat().st_size > 1000
    trajectory = read_trajectory(replayed / "odometry.tum", "tum")
    assert len(trajectory) == FRAMES
    covariances = read_covariances(replayed / "odometry_covariance.csv", trajectory)
    assert not covariances[0].any() and (np.linalg.eigvalsh(covariances[1:]) > 0).all()
    assert figures["nees_1"] > 0 and figures["nees_1_motions"] == FRAMES - 1
    assert len((replayed / "frames.csv").read_text().splitlines()) == FRAMES + 1


def test_the_page_says_what_was_done(replayed: Path) -> None:
    """Protocol `plain` as `evaluate` has it: the whole image, nothing clamped, no limit at 80 m."""
    summary = json.loads((replayed / "metrics.json").read_text())
    assert summary["protocol"] == {
        "name": "plain",
        "scaling": "median",
        "truth_above_m": 0.0,
        "truth_below_m": None,
        "clamp_m": None,
        "cropped": False,
    }
    assert summary["truth"]["frames_with_depth"] == summary["truth"]["frames_with_pose"] == FRAMES
    assert 0 < summary["truth"]["nearest_m"] <= summary["truth"]["farthest_m"]
    page = (replayed / "report.html").read_text()
    assert "protocol plain: ground truth above 0 m, the whole image" in page
    assert "not clamped" in page and "aligned to the ground truth (7 DoF), in m" in page
    assert f"depth of {FRAMES}, pose of {FRAMES} of {FRAMES} frames" in page
    assert "images with motion" in page and "true way" not in page


def test_replay_and_evaluation_measure_the_same(tmp_path: Path) -> None:
    """Truth from 0.5 m to 300 m: neither clamps, and both see the same network input."""
    camera = PinholeCamera.from_focal_length(160, 120, 130.0, 130.0, 79.5, 59.5)
    rng = np.random.default_rng(0)
    depth = np.geomspace(0.5, 300, 160, dtype=np.float32)[None].repeat(120, 0)
    with SequenceWriter(tmp_path / "walk", camera, fps=10, image_format="png") as writer:
        for _ in range(3):
            writer.add(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8), depth, np.eye(4))
    replayed = json.loads(
        run(str(tmp_path / "walk"), "--out", str(tmp_path / "out"), "--device", "cpu", "--json")
    )
    evaluation = ["evaluate", "depth", "--model", "demo", "--data", str(tmp_path / "walk")]
    result = CliRunner().invoke(app, [*evaluation, "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    evaluated = json.loads(result.stdout)
    for name in ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"):
        assert replayed[name] == pytest.approx(evaluated[name], rel=1e-5)
    assert replayed["truth"]["farthest_m"] > 65  # 16-bit files hold no more millimetres


def test_two_runs_give_the_same_bytes(drive: Path, replayed: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    run(str(drive), "--out", str(again), "--device", "cpu", *TRUTH, *NETWORK)
    names = {file.name for file in replayed.iterdir()}
    assert names == {file.name for file in again.iterdir()}
    for name in names:
        if not name.startswith("timing") and name != "replay.rrd":
            assert (replayed / name).read_bytes() == (again / name).read_bytes(), name


def test_without_truth_there_are_depth_and_a_way_all_the_same(drive: Path, tmp_path: Path) -> None:
    options = ["--out", str(tmp_path / "out"), "--every", "2", "--json", *NETWORK]
    figures = json.loads(run(str(drive), *options))
    assert figures["frames"] == FRAMES / 2 and figures["frames_start"] == 1
    assert figures["frames_motion"] + figures["frames_standstill"] == FRAMES / 2 - 1
    assert figures["truth"] == {"frames_with_depth": 0, "frames_with_pose": 0}
    assert figures["scale_of_model"] == "relative" and figures["frames_left_out"] == FRAMES / 2
    assert "abs_rel" not in figures and "ate_m" not in figures
    page = (tmp_path / "out/report.html").read_text()
    assert "none: no errors are known" in page and "in unit of the model" in page
    assert "ground truth," not in page and "[m]" not in page and "true" not in page
    assert figures["left_out"] == {"between every n-th image": FRAMES // 2}
    assert figures["coverage"] == figures["problems"] == []
    assert (tmp_path / "out/trajectory.png").is_file()


def test_a_name_that_is_not_utf8(drive: Path, tmp_path: Path) -> None:
    bag = tmp_path / "caf\udce9"
    bag.symlink_to(drive, target_is_directory=True)
    run(str(bag), "--out", str(tmp_path / "out\udce9"))
    page = (tmp_path / "out\udce9" / "report.html").read_text(encoding="utf-8")
    assert "caf\\udce9 by demo" in page


def test_pauses_and_left_out_frames_are_counted() -> None:
    record = ReplayRecord(metric=True)
    image = np.zeros((4, 6, 3), np.uint8)
    events = ["start", "motion", "motion", "standstill", "bridge", "gap", "gap", "none"]
    for number, event in enumerate(events):
        frame = RecordedFrame(image, PinholeCamera.centred(4, 6, 3.0), number)
        record.add(frame, np.ones((4, 6), np.float32), event)
    record.left_out["stamp is 0"] += 3
    summary = record.summary()
    counted = {k: v for k, v in summary.items() if k.startswith("frames_")}
    assert counted == {
        "frames_start": 1, "frames_motion": 2, "frames_standstill": 1, "frames_bridge": 1,
        "frames_gap": 2, "frames_none": 1, "frames_left_out": 3,
    }  # fmt: skip
    assert summary["left_out"] == {"stamp is 0": 3} and summary["scale_of_model"] == "metric"


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
    image, camera = np.zeros((8, 12, 3), np.uint8), PinholeCamera.centred(8, 12, 6.0)
    truth[:2] = np.nan
    for number in range(6):
        pose = np.eye(4)
        pose[0, 3] = 0.1 * number
        true_pose = np.eye(4)
        true_pose[0, 3] = 0.2 * number
        frame = RecordedFrame(image, camera, number * 10**8, truth, true_pose)
        record.add(frame, depth, "motion", pose)
    errors = record.error_map()
    assert errors is not None and errors[1:, 0] == pytest.approx(0.5)
    assert errors[1:, 1:] == pytest.approx(0.0)
    assert np.isnan(errors[0]).all()
    figures = record.metrics()
    assert figures["ate_m"] == pytest.approx(0, abs=1e-9) and figures["scale"] == pytest.approx(2)
    assert figures["pose_depth_log_ratio_median"] == pytest.approx(0, abs=1e-6)
