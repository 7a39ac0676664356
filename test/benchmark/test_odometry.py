"""The benchmark of odometry: the peer on exact points, figures in closed form, a short run."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.geometry.rigid_motion import inverse, motion_of

BENCHMARK = Path(__file__).parents[2] / "benchmark"
K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs import each other as when they are run."""
    monkeypatch.syspath_prepend(BENCHMARK / "common")
    monkeypatch.syspath_prepend(BENCHMARK)


def seen(points: np.ndarray) -> np.ndarray:
    pixels = points @ K.T
    return (pixels[:, :2] / pixels[:, 2:]).astype(np.float32)


def test_the_peer_finds_rotation_and_direction_of_a_step() -> None:
    from five_point import FivePoint

    random = np.random.default_rng(0)
    points = random.uniform([-2, -1.5, 3], [2, 1.5, 8], (200, 3))
    true = motion_of(np.array([0.2, 0.0, 0.4, 0.01, -0.05, 0.02]))
    moved = points @ inverse(true)[:3, :3].T + inverse(true)[:3, 3]
    moved[:60] += random.uniform(-1, 1, (60, 3))  # what moves by itself
    found = FivePoint(K)._between(seen(points), seen(moved))
    assert found is not None
    np.testing.assert_allclose(found[:3, 3], true[:3, 3] / np.linalg.norm(true[:3, 3]), atol=5e-3)
    np.testing.assert_allclose(found[:3, :3], true[:3, :3], atol=1e-3)


def test_the_peer_goes_on_where_nothing_can_be_matched() -> None:
    from five_point import FivePoint

    peer, blank = FivePoint(K), np.full((240, 320), 90, np.uint8)
    assert peer.add(blank) is None
    np.testing.assert_array_equal(peer.add(blank), np.eye(4))
    assert peer.fallbacks == 1


def curve(count: int, factor: float = 1.0) -> np.ndarray:
    poses = [np.eye(4)]
    for k in range(count):
        poses.append(poses[-1] @ motion_of(np.array([0, 0, 0.1 + 0.01 * k, 0, 0.05, 0])))
    found = np.array(poses)
    found[:, :3, 3] *= factor
    return found


def test_with_true_lengths_a_wrong_scale_is_no_error() -> None:
    import odometry_figures

    truth = curve(30)
    steps = odometry_figures.steps_of(truth)
    steps[:, :3, 3] *= np.linspace(0.2, 3.0, 30)[:, None]
    chain = [np.eye(4)]
    for step in steps:
        chain.append(chain[-1] @ step)
    estimate = np.array(chain)
    assert odometry_figures.trajectory_errors(estimate, truth)["ate_m"] > 0.1
    np.testing.assert_allclose(odometry_figures.true_lengths(estimate, truth), truth, atol=1e-9)


def test_the_noise_model_finds_its_ratios() -> None:
    """Each step off by 4 % of what it moves along one axis: 4 % over the root of 3 by axis."""
    import odometry_figures

    truth = curve(30)
    steps = odometry_figures.steps_of(truth)
    moved = np.linalg.norm(steps[:, :3, 3], axis=1)
    steps[:, 1, 3] += 0.04 * moved
    turn = Rotation.from_rotvec([0.01, 0, 0]).as_matrix()
    steps[:, :3, :3] = steps[:, :3, :3] @ turn
    chain = [np.eye(4)]
    for step in steps:
        chain.append(chain[-1] @ step)
    noise = odometry_figures.noise_model(np.array(chain), truth)
    assert noise["translation_noise"] == pytest.approx(0.04 / np.sqrt(3), rel=1e-2)
    assert noise["rotation_error_median_rad"] == pytest.approx(0.01 / np.sqrt(3), rel=1e-6)
    assert noise["moved_median_m"] == pytest.approx(0.245)


def test_a_short_run_of_all_methods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import odometry

    monkeypatch.setattr(odometry, "WALK", replace(odometry.WALK, whole="0:8"))
    out, plots = tmp_path / "odometry.json", tmp_path / "plots"
    arguments = ["--engine", "torch", "--part", "whole", "--only", "demo_walk"]
    odometry.main([*arguments, "--out", str(out), "--plots", str(plots)])
    report = json.loads(out.read_text())
    walk = report["parts"]["whole"]["demo_walk"]
    assert set(walk) == {*odometry.METHODS, odometry.PEER}
    for name, figures in walk.items():
        assert figures["frames"] == 8 and figures["length_m"] == pytest.approx(0.5, abs=0.3)
        assert 0 <= figures["ate_m"] and 0 <= figures["ate_true_steps_m"] < 0.3
        assert sum(figures["methods"].values()) == pytest.approx(1)
        assert ("consistency" in figures) == (name != odometry.PEER)
        assert 0 < figures["latency"]["mean_ms"] <= figures["latency"]["max_ms"]
    assert walk["network"]["latency"]["frames_with_depth"] == 0
    assert walk["refined"]["latency"]["frames_with_depth"] > 0.8
    assert report["machine"]["cores"] > 0 and report["engine"]["engine"] == "torch"
    lines = out.with_suffix(".md").read_text().splitlines()
    assert sum(line.startswith("| demo_walk |") for line in lines) == 3 * len(walk)
    assert (plots / "whole_demo_walk.png").stat().st_size > 10_000
