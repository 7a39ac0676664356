"""A new engine is one file and one line: it predicts, replays and runs a node, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from toy_engine import STEP, register
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.evaluation.trajectory import read_trajectory
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import ENGINES, load_engine
from monodepth_ros.inference.model_check import check_model
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import Views
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.catalogue import resolve

RGB = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
CAMERA = PinholeCamera.from_focal_length(320, 240, 260.0, 262.0, 161.0, 119.0)
WALK = share_directory() / "models/demo/sample_walk"
SUPPORT = str(Path(__file__).parents[2] / "support")

# What a node runs on every frame, and the node itself up to loading its model.
WITHOUT_TORCH = """
import sys
sys.path.insert(0, SUPPORT)
import toy_engine
toy_engine.register()
import numpy as np
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.registry import load_method
engine = load_engine("demo", "toy")
camera = PinholeCamera.from_focal_length(320, 240, 260.0, 262.0, 161.0, 119.0)
tracker, estimator = CameraTracker(load_method("network", engine)), DepthEstimator(engine)
for number in range(3):
    image = np.random.default_rng(number).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    seen = estimator.estimate(image, camera, with_confidence=True)
    pose = tracker.add(image, camera, number * 100_000_000)
assert np.isfinite(seen.depth).all() and pose.event == "motion"
"""
HEAVY = """
heavy = {"torch", "lightning", "tensorboard", "torchvision"} & sys.modules.keys()
assert not heavy, heavy
"""


@pytest.fixture
def toy() -> Iterator[None]:
    """The toy engine, known by its name for one test."""
    register()
    yield
    del ENGINES["toy"]


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--engine", "toy", "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def fresh(code: str) -> None:
    """Run it in an interpreter that has imported nothing."""
    command = [sys.executable, "-c", f"SUPPORT = {SUPPORT!r}\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_estimators_take_it(toy: None) -> None:
    engine = load_engine("demo", "toy")
    small = cv2.resize(RGB, engine.size[::-1]).mean(-1) / 255
    seen = DepthEstimator(engine, output_size="network").estimate(RGB, CAMERA, True)
    np.testing.assert_allclose(seen.depth, 1 / (0.1 + small), rtol=1e-6)
    assert seen.confidence is not None and seen.confidence.max() <= 1
    tracker = CameraTracker(load_method("network", engine))
    images = [RGB, RGB[::-1], RGB[:, ::-1]]
    poses = [tracker.add(np.ascontiguousarray(i), CAMERA, k * 10**8) for k, i in enumerate(images)]
    np.testing.assert_allclose(poses[-1].T_world_camera[:3, 3], [0, 0, 2 * STEP], rtol=1e-6)


def test_its_motions_can_be_refined(toy: None) -> None:
    method = load_method("refined", load_engine("demo", "toy"))
    views = Views(method.engine, method.sees_grey)
    first, second = (views.view(image, CAMERA) for image in (RGB, RGB[::-1]))
    assert np.isfinite(method.motion(first, second).T_earlier_later).all()


def test_predict(toy: None, tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    cv2.imwrite(str(image), RGB[..., ::-1])
    summary = run("predict", str(image), "--out", str(tmp_path / "out"))
    assert (summary["device"], summary["frames"]) == ("cpu", 1)
    depth = np.load(tmp_path / "out/image_depth.npy")
    expected = DepthEstimator(load_engine("demo", "toy")).estimate(RGB).depth
    np.testing.assert_array_equal(depth, expected)


def test_replay_resizes_each_frame_once(
    toy: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine("demo", "toy")
    monkeypatch.setattr("toy_engine.ToyEngine.load", lambda *arguments: engine)
    out = str(tmp_path / "out")
    figures = run("replay", str(WALK), "--out", out, "--method", "network")
    assert engine.prepared == figures["frames"] == 150
    assert figures["frames_motion"] > 100
    poses = read_trajectory(tmp_path / "out/odometry.tum", "tum").poses
    forward = poses[-1][2, 3]
    assert forward == pytest.approx(STEP * figures["frames_motion"], rel=1e-4)


@pytest.mark.parametrize("kind", ["depth", "scale"])
def test_evaluate(toy: None, kind: str) -> None:
    figures = run("evaluate", kind, "--model", "demo", "--data", str(WALK), "--every", "10")
    assert np.isfinite(figures["abs_rel" if kind == "depth" else "depth_seq_scale_std"])


def test_check(toy: None) -> None:
    findings = check_model(resolve("demo"), [("walk", RGB)], engine="toy")
    assert [finding.check for finding in findings][-1] == "motion of random pixels"
    assert findings[0].detail == "hashes agree, depth and pose on cpu"


def test_only_the_torch_engine_imports_torch() -> None:
    fresh(WITHOUT_TORCH + HEAVY)


def test_a_node_imports_no_torch_before_its_model_is_loaded() -> None:
    pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")
    nodes = "from monodepth_ros.nodes.camera import depth_node, odometry_node\n"
    fresh(f"import sys\n{nodes}{HEAVY}")


@pytest.mark.parametrize("command", ["predict", "replay", "evaluate", "models"])
def test_commands_import_no_torch_before_a_model_is_loaded(command: str) -> None:
    fresh(f"import sys\nfrom monodepth_ros.cli import {command}\n{HEAVY}")


def test_a_node_runs_it(ros_environment: dict[str, str], start_code: Any) -> None:
    from sensor_msgs.msg import Image
    from viewer import Viewer, of_status

    from monodepth_ros.data.bags.messages.image import decode_depth

    code = (
        f"import sys; sys.path.insert(0, {SUPPORT!r})\n"
        "import toy_engine; toy_engine.register()\n"
        # It does not compute what the networks compute.
        "from monodepth_ros.inference.engines import registry\n"
        "registry.short_check = lambda *arguments: ''\n"
        "from monodepth_ros.nodes.programs import depth_node; depth_node()"
    )
    with Viewer() as viewer:
        viewer.listen(Image, "depth/image_rect")
        start_code(code, "engine:=toy", "diagnostics_period:=0.2")
        viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
        engine = load_engine("demo", device="cpu")
        depth = decode_depth(viewer.heard["depth/image_rect"][-1])
        small = cv2.resize(RGB, engine.size[::-1]).mean(-1) / 255
        np.testing.assert_allclose(depth, 1 / (0.1 + small), rtol=1e-6)
        viewer.until(lambda: of_status(viewer, "engine") == "toy")


def test_a_node_refuses_an_engine_that_nobody_knows(
    ros_environment: dict[str, str], start_node: Any
) -> None:
    child = start_node("depth_node", "engine:=abacus")
    said, _ = child.communicate(timeout=60.0)
    assert child.returncode != 0
    assert "parameter engine: 'abacus' is not one of auto, torch" in said
