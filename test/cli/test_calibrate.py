"""`monodepth calibrate`: a model of its own, whose depth is metric by the recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import Result
from recordings import CAMERA, HEIGHT, WIDTH, picture
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.zoo.card import load_card

FRAMES = 6


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)])


def record(path: Path, model: Path, scale: float, shift: float, exponent: float) -> Path:
    """Pictures whose true depth is what the model says, bent."""
    estimator = DepthEstimator(model, "cpu", output_size="image")
    with SequenceWriter(path, CAMERA, fps=10, image_format="png") as writer:
        for k in range(FRAMES):
            rgb = picture(k)
            q = resize_linear(estimator.estimate(rgb, CAMERA).disparity, (HEIGHT, WIDTH))
            truth = 1 / (scale * q.astype(np.float64) ** exponent + shift)
            writer.add(rgb, truth.astype(np.float32), stamp_ns=k * 100_000_000)
    return path


def test_a_model_learns_its_metres(tmp_path: Path, model: Path) -> None:
    data, out = record(tmp_path / "data", model, 0.3, 0.0, 1.0), tmp_path / "metric"
    done = run(model, "--data", data, "--out", out, "--device", "cpu")
    assert done.exit_code == 0 and "points of 6 frames" in done.output
    card = load_card(out)
    assert (card.name, card.scale) == ("metric", "metric")
    assert card.metres is not None and card.metres.frames == FRAMES
    assert card.metres.data == "data" and card.files == load_card(model).files
    before, after = (
        DepthEstimator(folder, "cpu").estimate(picture(0), CAMERA) for folder in (model, out)
    )
    assert after.scale == "metric"
    np.testing.assert_allclose(np.median(after.depth / before.depth), 1 / 0.3, rtol=0.03)


def test_what_cannot_be_is_told(tmp_path: Path, model: Path) -> None:
    data = record(tmp_path / "data", model, 0.3, 0.0, 1.0)
    present = run(model, "--data", data, "--out", data)
    assert present.exit_code == 2 and "exists already" in present.stderr
    still = run(model, "--data", data, "--by", "motion", "--out", tmp_path / "x")
    assert still.exit_code == 2 and "neither depth nor poses" in still.stderr
    assert not (tmp_path / "x").exists()
