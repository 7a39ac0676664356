"""`monodepth calibrate`: a model of its own, whose depth is metric by the recording."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest
from click.testing import Result
from recordings import CAMERA, HEIGHT, WIDTH, picture
from rendered_planes import CAMERA as ROOM_CAMERA
from rendered_planes import render, room
from toy_engine import ToyEngine, ToyFrames
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import ENGINES
from monodepth_ros.zoo.card import load_card, save_card

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


class DepthOfRoom(ToyEngine):
    """Knows the depth of the frames that come, and gives inverse depth less 0.1, times 2."""

    depths: ClassVar[Iterator[np.ndarray]] = iter(())

    def inverse_depth(self, frames: ToyFrames) -> np.ndarray:
        q = 2 * (1 / next(self.depths) - 0.1)
        return cv2.resize(q, self.size[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)[None]


def test_the_motion_of_the_camera_gives_scale_and_shift(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame has a depth; metres are found to 3 %."""
    card = load_card(model).model_copy(update={"ambiguity": "scale_and_shift", "size": (128, 160)})
    save_card(model, card)
    depths = []
    with SequenceWriter(tmp_path / "data", ROOM_CAMERA, fps=10, image_format="png") as writer:
        for k in range(8):
            pose = motion_of(np.array([0.06 * k, 0.01 * k, 0, 0, 0.005 * k, 0]))
            grey, depth, _ = render(room(), pose, ROOM_CAMERA)
            depths.append(depth)
            rgb = np.repeat(grey[..., None], 3, 2)
            writer.add(rgb, None, pose, stamp_ns=k * 100_000_000)
    monkeypatch.setitem(ENGINES, "toy", f"{__name__}:DepthOfRoom")
    monkeypatch.setattr(DepthOfRoom, "depths", iter(depths))
    out = tmp_path / "metric"
    asked = (model, "--data", tmp_path / "data", "--by", "motion", "--out", out, "--engine", "toy")
    done = run(*asked)
    assert done.exit_code == 0, done.output
    metres = load_card(out).metres
    assert metres is not None and metres.exponent == 1
    assert metres.scale == pytest.approx(0.5, rel=0.03)
    assert metres.shift == pytest.approx(0.1, abs=0.01)
    assert metres.deviation < 0.03 and metres.points > 500
