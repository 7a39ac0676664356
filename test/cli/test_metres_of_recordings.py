"""Metres of recordings as the nodes would have them: `evaluate depth --scale`, `replay`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from recordings import CAMERA, HEIGHT, WIDTH, picture, write_folder
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.depth_estimator import DepthEstimator


def record(path: Path, model: Path) -> Path:
    """Depth that is four times as far as the model says."""
    estimator = DepthEstimator(model, "cpu", output_size="image")
    with SequenceWriter(path, CAMERA, fps=10, image_format="png") as writer:
        for k in range(5):
            rgb = picture(k)
            q = resize_linear(estimator.estimate(rgb, CAMERA).disparity, (HEIGHT, WIDTH))
            writer.add(rgb, (4 / q).astype(np.float32), stamp_ns=k * 100_000_000)
    return path


def run(*arguments: object) -> dict:
    result = CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_points_give_an_evaluation_its_metres(tmp_path: Path, model: Path) -> None:
    data = record(tmp_path / "data", model)
    found = run("evaluate", "depth", "--model", model, "--data", data, "--scale", "points")
    assert found["images"] == 5
    assert found["abs_rel"] < 0.05 and 0.9 < found["median_ratio"] < 1.1


def test_points_give_a_replay_its_metres(tmp_path: Path, model: Path) -> None:
    data, out = record(tmp_path / "data", model), tmp_path / "out"
    found = run("replay", data, "--model", model, "--scale-source", "points", "--out", out)
    assert found["scale_of_model"] == "metric" and found["frames_without_metres"] == 0
    assert found["abs_rel_in_metres"] < 0.05


def test_a_recording_without_poses_says_so(tmp_path: Path, model: Path) -> None:
    data = tmp_path / "data"
    write_folder(data)
    asked = ["evaluate", "depth", "--model", model, "--data", data, "--scale", "odometry"]
    result = CliRunner().invoke(app, [*map(str, asked), "--device", "cpu"])
    assert result.exit_code == 2 and "no poses" in result.stderr
