"""Report folders hold the figures, a row per image or frame, and plots that open."""

import csv
import json

import numpy as np
from PIL import Image

from monodepth_ros.evaluation.depth_evaluation import DepthPair, evaluate_depth
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS
from monodepth_ros.evaluation.odometry_metrics import evaluate_odometry
from monodepth_ros.evaluation.report import write_depth_report, write_odometry_report
from monodepth_ros.evaluation.report_files import to_json
from monodepth_ros.evaluation.trajectory import Trajectory


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def has_dark_pixels(path):
    return (np.array(Image.open(path).convert("L")) < 128).any()


def test_unknown_figures_are_null():
    assert json.loads(to_json({"t_err_percent": float("nan"), "images": 3})) == {
        "t_err_percent": None,
        "images": 3,
    }


def test_depth_report(tmp_path):
    random = np.random.default_rng(0)
    pairs = [
        DepthPair("walk", f"walk/{i}", random.uniform(0.5, 1, (4, 5)), random.uniform(1, 2, (4, 5)))
        for i in range(3)
    ]
    pairs.append(DepthPair("walk", "walk/3", problem="no true depth"))
    evaluation = evaluate_depth(pairs, PROTOCOLS["plain"])
    write_depth_report(tmp_path / "out", evaluation)
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    images = rows(tmp_path / "out" / "images.csv")
    assert [row["image"] for row in images] == ["walk/0", "walk/1", "walk/2"]
    assert np.isclose(np.mean([float(row["rmse"]) for row in images]), summary["rmse"])
    assert rows(tmp_path / "out" / "skipped.csv") == [
        {"image": "walk/3", "reason": "no true depth"}
    ]
    for plot in ("error_histogram.png", "error_over_frames.png"):
        assert has_dark_pixels(tmp_path / "out" / plot)


def test_odometry_report(tmp_path):
    poses = np.tile(np.eye(4), (6, 1, 1))
    poses[:, 2, 3] = np.arange(6) * 0.5
    poses[:, 0, 3] = np.arange(6) ** 2 * 0.1
    estimate = poses.copy()
    estimate[3:, 0, 3] += 0.2
    frames = np.arange(6.0)
    evaluation = evaluate_odometry(
        Trajectory(frames, estimate), Trajectory(frames, poses), "kitti", "none"
    )
    figures = vars(evaluation.errors)
    write_odometry_report(tmp_path, {"a/b": evaluation, "c": evaluation}, figures)
    assert json.loads((tmp_path / "metrics.json").read_text())["t_err_percent"] is None
    table = rows(tmp_path / "frames.csv")
    assert len(table) == 12
    errors = [float(row["position_error_m"]) for row in table[:6]]
    np.testing.assert_allclose(errors, [0, 0, 0, 0.2, 0.2, 0.2])
    assert [row["sequence"] for row in rows(tmp_path / "sequences.csv")] == ["a/b", "c"]
    for plot in ("error_histogram", "error_over_frames", "trajectory_a_b", "trajectory_c"):
        assert has_dark_pixels(tmp_path / f"{plot}.png")
