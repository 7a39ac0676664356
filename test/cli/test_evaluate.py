"""`monodepth evaluate` from the command line: figures, refusals, reports."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.covariance_file import write_covariances
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS, blend_flipped, evaluate_image
from monodepth_ros.evaluation.predictions import maps_of
from monodepth_ros.evaluation.trajectory import Trajectory, write_trajectory
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.odometry.visual_odometry import VisualOdometry
from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import ModelCard, Provenance
from monodepth_ros.zoo.weights import save_model

DEPTH_KEYS = [
    *("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"),
    *("images", "median_ratio", "std_ratio"),
]
ODOMETRY_KEYS = [
    *("t_err_percent", "r_err_deg_per_100m", "ate_m", "rpe_m", "rpe_deg"),
    *("snippet_ate_m", "scale"),
]
SCALE_KEYS = [
    *("depth_seq_scale_std", "depth_cross_seq_scale_std"),
    *(f"pose_depth_log_ratio_{figure}" for figure in ("median", "std", "offset")),
]
CAMERA = PinholeCamera.from_focal_length(80, 48, fx=60.0, fy=60.0, cx=39.5, cy=23.5)


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def figures(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*arguments):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def walk(count):
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.from_euler("y", 0.05 * np.arange(count)[:, None]).as_matrix()
    poses[:, 2, 3] = 0.2 * np.arange(count)
    poses[:, 0, 3] = 0.03 * np.arange(count) ** 2
    return poses


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recordings") / "walk"
    random = np.random.default_rng(0)
    with SequenceWriter(path, CAMERA, fps=10, image_format="png") as writer:
        for pose in walk(5):
            image = random.integers(0, 256, (48, 80, 3), dtype=np.uint8)
            writer.add(image, random.uniform(1, 4, (48, 80)).astype(np.float32), pose)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "random"
    torch.manual_seed(0)
    card = ModelCard(
        name="random",
        licence="Apache-2.0",
        provenance=Provenance(data="none"),
        architecture="monodepth2-slim",
        size=(32, 64),
    )
    nets = {
        "depth": build_depth_network("monodepth2-slim", 0.1, 100.0).state_dict(),
        "pose": build_pose_network("monodepth2-slim").state_dict(),
    }
    save_model(folder, card, nets)
    return folder


def depth_by_hand(model, recording, flip=False, every=1):
    estimator = DepthEstimator(model, device="cpu", output_size="network")
    sequence = FolderSequence(recording)
    results = []
    for index in range(0, len(sequence), every):
        image = sequence.image(index)
        disparity = estimator.estimate(image).disparity
        if flip:
            mirrored = estimator.estimate(np.ascontiguousarray(image[:, ::-1])).disparity
            disparity = blend_flipped(disparity, mirrored[:, ::-1])
        results.append(evaluate_image(disparity, sequence.depth(index), PROTOCOLS["plain"]))
    return results


def test_uncertainty_of_a_model(recording, model, tmp_path):
    """The figures beside the others, the ranges below them, and the same in files."""
    options = ["depth", "--model", model, "--data", recording, "--device", "cpu"]
    plain = figures(*options)
    printed = figures(*options, "--uncertainty", "--out", tmp_path)
    assert {key: printed[key] for key in plain} == pytest.approx(plain, rel=1e-5)
    sequence, estimator = FolderSequence(recording), DepthEstimator(model, "cpu", "network")
    curves = []
    for index in range(len(sequence)):
        seen = estimator.estimate(sequence.image(index), sequence.camera, with_confidence=True)
        maps, truth = maps_of(seen), sequence.depth(index)
        found = evaluate_image(seen.disparity, truth, PROTOCOLS["plain"], maps=maps).uncertainty
        curves.append(np.array(found.curves["abs_rel"]))
    relative = np.mean([curve / curve[0] for curve in curves], axis=0)
    area = np.trapezoid(relative, dx=0.02) + 0.02 * relative[-1]
    assert printed["aurg_abs_rel"] == pytest.approx(1 - area, abs=1e-6)
    assert printed["ause_abs_rel"] > 0
    assert set(printed["ranges"]) == {"1-2 m", "2-4 m", "4-8 m"}  # 3.9997 m is stored as 4
    assert sum(part["share"] for part in printed["ranges"].values()) == pytest.approx(1)
    stored = json.loads((tmp_path / "uncertainty.json").read_text())
    assert stored["ranges"] == printed["ranges"]
    table = run(*options, "--uncertainty").stdout
    assert "aurg_abs_rel" in table and "2-4 m" in table
    constant = ["depth", "--constant-from", recording, "--data", recording, "--uncertainty"]
    assert "--uncertainty" in refusal(*constant)


@pytest.mark.parametrize("options", [[], ["--flip"], ["--every", "2"]])
def test_model_over_a_recording(recording, model, options):
    printed = figures("depth", "--model", model, "--data", recording, "--device", "cpu", *options)
    every = 2 if "--every" in options else 1
    results = depth_by_hand(model, recording, "--flip" in options, every)
    assert list(printed) == DEPTH_KEYS
    assert printed["images"] == len(results)
    expected = np.mean([result.metrics["abs_rel"] for result in results])
    assert printed["abs_rel"] == pytest.approx(expected, rel=1e-6)
    assert printed["median_ratio"] == pytest.approx(np.median([r.ratio for r in results]), rel=1e-6)


def test_report_folder_and_table(recording, model, tmp_path):
    result = run("depth", "--model", model, "--data", recording, "--out", tmp_path / "report")
    assert result.exit_code == 0, result.output
    assert "abs_rel" in result.stdout
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {
        *("metrics.json", "images.csv", "error_histogram.png", "error_over_frames.png"),
    }


def test_recordings_of_one_name_stay_apart(recording, model, tmp_path):
    command = ("odometry", "--model", model, "--data", recording, "--device", "cpu")
    command += ("--method", "network")
    once = figures(*command)
    assert figures(*command, "--data", recording, "--out", tmp_path) == pytest.approx(
        once, nan_ok=True
    )
    rows = (tmp_path / "sequences.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["sequence", "walk", "walk (2)"]


def test_unreadable_frame_is_skipped_and_named(model, tmp_path):
    path = tmp_path / "walk"
    with SequenceWriter(path, CAMERA, fps=10, image_format="png") as writer:
        for k in range(3):
            depth = None if k == 1 else np.ones((48, 80), np.float32)
            writer.add(np.full((48, 80, 3), 60 * k, np.uint8), depth)
    (path / "images" / "000000.png").write_bytes(b"damaged")
    result = run("depth", "--model", model, "--data", path, "--json")
    assert json.loads(result.stdout)["images"] == 1
    assert "2 images skipped" in result.stderr
    assert "000000.png" in result.stderr and "no true depth" in result.stderr


def test_constant_prediction(recording):
    printed = figures("depth", "--constant-from", recording, "--data", recording)
    sequence = FolderSequence(recording)
    depths = np.stack([sequence.depth(k) for k in range(5)]).astype(np.float64)
    results = [evaluate_image(1 / depths.mean(0), truth, PROTOCOLS["plain"]) for truth in depths]
    assert printed["a1"] == pytest.approx(np.mean([result.metrics["a1"] for result in results]))


def test_constant_prediction_of_the_red_kitchen(real_data):
    """The bar that learning is held to: half of this abs_rel."""
    kitchen = f"{real_data}/7scenes_redkitchen@unregistered"
    printed = figures(
        *("depth", "--constant-from", f"{kitchen}@0:600:5"),
        *("--data", f"{kitchen}@600:700", "--every", 5),
    )
    assert printed["images"] == 20
    assert printed["abs_rel"] == pytest.approx(0.190, abs=5e-4)
    assert printed["a1"] == pytest.approx(0.635, abs=1e-3)


def depth_folders(tmp_path):
    truth = np.linspace(1, 4, 48).reshape(6, 8)
    for name, array in (("pred", truth / 2), ("gt", truth)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "a.npy", array)
    return "depth", "--pred", tmp_path / "pred", "--gt", tmp_path / "gt"


def test_prediction_files(tmp_path):
    command = depth_folders(tmp_path)
    assert figures(*command)["abs_rel"] == pytest.approx(0, abs=1e-12)
    assert figures(*command, "--scaling", "none")["abs_rel"] == pytest.approx(0.5)
    assert figures(*command, "--max-depth", 2)["median_ratio"] == pytest.approx(2)


def test_missing_pixels_are_told(tmp_path):
    command = depth_folders(tmp_path)
    array = np.load(tmp_path / "pred" / "a.npy")
    array[:3] = np.nan
    np.save(tmp_path / "pred" / "a.npy", array)
    result = run(*command, "--json")
    assert json.loads(result.stdout)["abs_rel"] == pytest.approx(0, abs=1e-12)
    assert "50 % of the truth's pixels had no prediction" in result.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "--model"),
        (["--pred", "x"], "--gt"),
        (["--model", "x", "--pred", "x", "--gt", "x"], "one of"),
        (["--model", "x"], "--data"),
        (["--pred", "x", "--gt", "x", "--protocol", "eigne"], "eigen"),
        (["--pred", "x", "--gt", "x", "--scaling", "mean"], "median"),
        (["--pred", "absent", "--gt", "absent"], "absent"),
        (["--pred", "x", "--gt", "x", "--min-depth", "5", "--max-depth", "1"], "empty"),
        (["--pred", "x", "--gt", "x", "--png-scale", "0"], "positive"),
    ],
)
def test_wrong_use_of_depth(options, complaint):
    assert complaint in refusal("depth", *options)


@pytest.fixture
def trajectories(tmp_path):
    poses = walk(140)
    estimate = poses.copy()
    estimate[:, :3, 3] /= 5
    np.savetxt(tmp_path / "gt.txt", poses[:, :3].reshape(-1, 12))
    np.savetxt(tmp_path / "est.txt", estimate[:, :3].reshape(-1, 12))
    return "odometry", "--est", tmp_path / "est.txt", "--gt", tmp_path / "gt.txt"


def test_trajectory_files(trajectories):
    printed = figures(*trajectories)
    counts = {"pairs": 140, "estimated_poses": 140, "true_poses": 140, "unknown_poses": 0}
    assert list(printed) == [*ODOMETRY_KEYS, *counts] and counts.items() <= printed.items()
    assert printed["scale"] == pytest.approx(5)
    assert printed["t_err_percent"] == pytest.approx(0, abs=1e-5)
    assert figures(*trajectories, "--align", "6dof")["ate_m"] > 1


def test_tum_files(tmp_path):
    for name, shift in (("gt", 0.0), ("est", 0.004)):
        trajectory = Trajectory(100 + 0.1 * np.arange(20) + shift, walk(20))
        write_trajectory(trajectory, tmp_path / f"{name}.txt")
    files = ("odometry", "--est", tmp_path / "est.txt", "--gt", tmp_path / "gt.txt")
    printed = figures(*files, "--format", "tum", "--align", "none")
    assert printed["ate_m"] == pytest.approx(0, abs=1e-9)
    assert printed["t_err_percent"] is None
    refused = refusal(*files, "--format", "tum", "--max-stamp-difference", "0.001")
    assert "common frames" in refused and "nearest stamps are 0.004 s apart" in refused


def test_poses_that_do_not_count_are_told(tmp_path):
    """Of the truth two lines are lost, and the estimate began later."""
    write_trajectory(Trajectory(0.1 * np.arange(20), walk(20)), tmp_path / "gt.txt")
    write_trajectory(Trajectory(0.1 * np.arange(5, 25), walk(20)), tmp_path / "est.txt")
    lines = (tmp_path / "gt.txt").read_text().splitlines()
    lines[9] = "0.9 0 0 0 0 0 0 0"
    lines[11] = "1.1 nan nan nan nan nan nan nan"
    (tmp_path / "gt.txt").write_text("\n".join(lines) + "\n")
    files = ("--est", tmp_path / "est.txt", "--gt", tmp_path / "gt.txt", "--format", "tum")
    result = run("odometry", *files, "--json")
    counts = {"pairs": 13, "estimated_poses": 20, "true_poses": 18, "unknown_poses": 2}
    assert counts.items() <= json.loads(result.stdout).items()
    assert "gt.txt: 2 poses are unknown (all zero, not finite" in result.stderr
    assert "lines 10, 12" in result.stderr
    assert "13 pairs of 20 estimated and 18 true poses" in result.stderr


def test_covariances_of_a_trajectory(tmp_path):
    """Steps are off by 0.01 m along each axis, which is what is stated: 3 of 6."""
    truth = Trajectory(0.1 * np.arange(13), np.tile(np.eye(4), (13, 1, 1)))
    truth.poses[:, 2, 3] = np.arange(13)
    estimate = Trajectory(truth.keys, truth.poses.copy())
    estimate.poses[:, :3, 3] += 0.01 * np.arange(13)[:, None]
    write_trajectory(truth, tmp_path / "gt.txt")
    write_trajectory(estimate, tmp_path / "est.txt")
    stated = np.arange(13)[:, None, None] * np.diag([1e-4] * 3 + [1e-12] * 3)
    write_covariances(tmp_path / "stated.csv", estimate, stated)
    files = ("odometry", "--est", tmp_path / "est.txt", "--gt", tmp_path / "gt.txt")
    files = (*files, "--format", "tum", "--align", "none")
    printed = figures(*files, "--covariance", tmp_path / "stated.csv")
    assert printed["nees_1"] == pytest.approx(3, rel=1e-3)
    assert (printed["nees_1_motions"], printed["nees_10_motions"]) == (12, 1)
    assert printed["nees_10"] == pytest.approx(30, rel=1e-3)  # ten times the same error
    assert "nees_50" not in printed and "nees_1" not in figures(*files)


def test_odometry_report(trajectories, tmp_path):
    figures(*trajectories, "--out", tmp_path / "report")
    assert (tmp_path / "report" / "trajectory.png").is_file()
    assert len((tmp_path / "report" / "frames.csv").read_text().splitlines()) == 141


def test_malformed_line_is_named(trajectories, tmp_path):
    (tmp_path / "est.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0\n")
    assert "est.txt:2: 3 numbers" in refusal(*trajectories)


def test_still_estimate_is_refused(trajectories, tmp_path):
    np.savetxt(tmp_path / "est.txt", np.tile(np.eye(3, 4), (140, 1, 1)).reshape(-1, 12))
    assert "does not move" in refusal(*trajectories)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "--est"),
        (["--est", "x"], "--gt"),
        (["--model", "x"], "--data"),
        (["--model", "x", "--data", "x", "--covariance", "x"], "--est"),
        (["--est", "x", "--gt", "x", "--scale"], "--model"),
        (["--est", "x", "--gt", "x", "--align", "sim3"], "7dof"),
        (["--est", "x", "--gt", "x", "--format", "euroc"], "kitti"),
        (["--est", "absent.txt", "--gt", "absent.txt"], "absent.txt"),
    ],
)
def test_wrong_use_of_odometry(options, complaint):
    assert complaint in refusal("odometry", *options)


def test_odometry_and_scale_of_a_model(recording, model):
    printed = figures(
        *("odometry", "--model", model, "--data", recording, "--device", "cpu"),
        *("--scale", "--align", "scale", "--method", "network"),
    )
    assert list(printed) == ODOMETRY_KEYS + SCALE_KEYS
    odometry, sequence = (
        VisualOdometry(model, device="cpu", method="network"),
        FolderSequence(recording),
    )
    estimate = np.stack([odometry.add(sequence.image(k)) for k in range(5)])
    x, y = estimate[:, :3, 3], walk(5)[:, :3, 3]
    assert printed["scale"] == pytest.approx((x * y).sum() / (x * x).sum(), rel=1e-6)
    ratios = np.array([result.ratio for result in depth_by_hand(model, recording)])
    assert printed["depth_seq_scale_std"] == pytest.approx(np.std(ratios / ratios.mean()), rel=1e-5)
    length = np.linalg.norm(np.diff(y, axis=0), axis=1) / np.linalg.norm(np.diff(x, axis=0), axis=1)
    log_rho = np.log(length / ratios[:-1])
    assert printed["pose_depth_log_ratio_median"] == pytest.approx(
        np.median(np.abs(log_rho)), rel=1e-5
    )
    assert printed["pose_depth_log_ratio_std"] == pytest.approx(np.std(log_rho), rel=1e-4)


def test_scale_before_and_after_alignment_to_depth(recording, model, tmp_path):
    options = ("--model", model, "--data", recording, "--device", "cpu")
    printed = figures("scale", *options, "--out", tmp_path / "report")
    refined = [f"refined_{key}" for key in SCALE_KEYS if key.startswith("pose")]
    assert list(printed) == SCALE_KEYS + refined
    plain = figures("odometry", *options, "--scale", "--method", "network")
    for key in SCALE_KEYS:
        assert printed[key] == pytest.approx(plain[key])
    aligned = figures("odometry", *options, "--scale", "--method", "refined")
    for key in refined:
        assert printed[key] == pytest.approx(aligned[key.removeprefix("refined_")])
    rows = (tmp_path / "report" / "images.csv").read_text().splitlines()
    assert rows[0] == "sequence,image,depth_scale,network_pose_scale,refined_pose_scale"
    assert len(rows) == 5
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == printed
    assert len(list((tmp_path / "report").glob("ratio_*.png"))) == 1
    assert list(figures("scale", *options, "--no-refined")) == SCALE_KEYS


@pytest.mark.parametrize(
    ("protocol", "truth"), [("eigen", "velodyne"), ("eigen-improved", "improved")]
)
def test_protocols_open_kitti_with_their_own_truth(monkeypatch, protocol, truth):
    asked = []

    def open_sequence(path, kitti_truth, capture):
        asked.append(kitti_truth)
        raise UserError("seen")

    monkeypatch.setattr("monodepth_ros.evaluation.recordings.open_sequence", open_sequence)
    refusal("depth", "--model", "any", "--data", "kitti", "--protocol", protocol)
    assert asked == [truth]
