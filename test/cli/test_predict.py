"""`monodepth predict` writes depth and pictures, and survives bad files."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.zoo.card import ErrorModel, load_card, save_card


def run(*arguments):
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def write_picture(path, height=30, width=50):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_each_image_gets_depth_and_preview(model, tmp_path):
    rgb = write_picture(tmp_path / "in" / "a.png")
    write_picture(tmp_path / "in" / "b.png", 40, 20)
    result = run(tmp_path / "in", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "2 frames" in result.stdout
    assert "relative depth by demo" in result.stdout
    depth = np.load(tmp_path / "out" / "a_depth.npy")
    assert (depth.dtype, depth.shape) == (np.float32, (30, 50))
    np.testing.assert_array_equal(depth, DepthEstimator(model, "cpu").estimate(rgb).depth)
    preview = np.asarray(Image.open(tmp_path / "out" / "a_preview.jpg"))
    assert preview.shape == (30, 100, 3)
    assert np.abs(preview[:, :50] - rgb.astype(float)).mean() < 8  # JPEG of noise
    assert np.load(tmp_path / "out" / "b_depth.npy").shape == (40, 20)


@pytest.mark.parametrize("calibrated", [True, False])
def test_confidence_and_stddev_stand_beside_depth(model, tmp_path, calibrated):
    if calibrated:
        rated = ErrorModel(intercept=-2.0, edge=0.1)
        save_card(model, load_card(model).model_copy(update={"error_model": rated}))
    rgb = write_picture(tmp_path / "a.png")
    result = run(tmp_path / "a.png", "--out", tmp_path / "out", "--confidence")
    assert result.exit_code == 0, result.output
    expected = DepthEstimator(model, "cpu").estimate(rgb, with_confidence=True)
    for kind in ("depth", "confidence", *(["stddev"] if calibrated else [])):
        found = np.load(tmp_path / "out" / f"a_{kind}.npy")
        assert (found.dtype, found.shape) == (np.float32, (30, 50))
        np.testing.assert_array_equal(found, getattr(expected, kind))
    assert (tmp_path / "out" / "a_stddev.npy").exists() is calibrated
    assert ("no standard deviation: calibrate demo" in result.stdout) is not calibrated
    # The same command writes again what has gone meanwhile.
    (tmp_path / "out" / "a_confidence.npy").unlink()
    run(tmp_path / "a.png", "--out", tmp_path / "out", "--confidence")
    assert (tmp_path / "out" / "a_confidence.npy").exists()
    run(tmp_path / "a.png", "--out", tmp_path / "plain")
    assert {path.name for path in (tmp_path / "plain").glob("a_*")} == {
        "a_depth.npy",
        "a_preview.jpg",
    }


def test_distorted_inputs_are_rectified(model, tmp_path):
    rgb = write_picture(tmp_path / "in" / "a.png", 60, 80)
    write_picture(tmp_path / "in" / "other.png", 40, 20)
    K, D = [70.0, 0.0, 39.5, 0.0, 70.0, 29.5, 0.0, 0.0, 1.0], [0.3, 0.05, 0.0, 0.0, 0.0]
    (tmp_path / "lens.yaml").write_text(
        "image_width: 80\nimage_height: 60\ndistortion_model: plumb_bob\n"
        f"camera_matrix: {{rows: 3, cols: 3, data: {K}}}\n"
        f"distortion_coefficients: {{rows: 1, cols: 5, data: {D}}}\n"
    )
    lens = ("--camera", tmp_path / "lens.yaml")
    result = run(tmp_path / "in", "--out", tmp_path / "out", *lens)
    assert result.exit_code == 1  # the other one is not of that camera
    assert "other.png: --camera is of 80x60 images, but these are 20x40" in result.stderr
    depth = np.load(tmp_path / "out" / "a_depth.npy")
    rectifier = Rectifier(PinholeCamera(80, 60, np.reshape(K, (3, 3)), "plumb_bob", tuple(D)))
    expected = DepthEstimator(model, "cpu").estimate(rectifier.image(rgb), rectifier.camera).depth
    np.testing.assert_array_equal(depth, expected)
    np.testing.assert_array_equal(np.isnan(depth), ~rectifier.camera.valid)
    assert run(tmp_path / "in", "--out", tmp_path, *lens, "--focal", "70").exit_code == 2


def test_json_holds_the_figures(model, tmp_path):
    write_picture(tmp_path / "a.png")
    result = run(tmp_path / "a.png", "--out", tmp_path / "out", "--json", "--size", "64x32")
    summary = json.loads(result.stdout)
    assert (summary["model"], summary["network_size"], summary["frames"]) == ("demo", "64x32", 1)
    (prediction,) = summary["predictions"]
    depth = np.load(prediction["depth"])
    assert prediction["depth_median"] == pytest.approx(float(np.median(depth)))
    assert (prediction["width"], prediction["height"], prediction["scale"]) == (50, 30, "relative")


def test_black_background_has_no_depth_if_asked(model, tmp_path):
    rgb = write_picture(tmp_path / "a.png", 40, 60)
    rgb[:20] = 0
    Image.fromarray(rgb).save(tmp_path / "a.png")
    for background, share in (("keep", 0.0), ("black_invalid", 0.5)):
        out = tmp_path / background
        result = run(tmp_path / "a.png", "--out", out, "--background", background, "--json")
        (prediction,) = json.loads(result.stdout)["predictions"]
        assert prediction["background_pixels"] == prediction["invalid_pixels"] == share * 2400
        assert np.isnan(np.load(prediction["depth"])[:19]).all() == bool(share)


def test_bad_files_are_skipped_named_and_counted(model, tmp_path):
    write_picture(tmp_path / "in" / "good.png")
    content = (tmp_path / "in" / "good.png").read_bytes()
    (tmp_path / "in" / "truncated.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "in" / "empty.jpg").write_bytes(b"")
    result = run(tmp_path / "in", "--out", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert "truncated.png" in result.stderr
    summary = json.loads(result.stdout)
    assert summary["frames"] == 1
    assert [s["input"].rpartition("/")[2] for s in summary["skipped"]] == [
        "empty.jpg",
        "truncated.png",
    ]
    assert len(list((tmp_path / "out").glob("[!.]*"))) == 2


def test_nothing_readable_is_exit_1(model, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    result = run(tmp_path / "bad.png", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "bad.png" in result.stderr
    assert "1 of the inputs could not be read" in result.stdout


def test_names_that_are_not_utf8_are_like_all_others(model, tmp_path):
    """In a process of its own: such a name ended it, in OpenCV."""
    folder = tmp_path / "in"
    write_picture(folder / "a.png")
    content = (folder / "a.png").read_bytes()
    for name, data in ((b"caf\xe9.png", content), (b"bad\xe9.png", content[:99])):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(data)
    video = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    os.rename(video, os.fsencode(folder) + b"/vid\xe9o.avi")
    with open(os.fsencode(folder) + b"/no_vid\xe9o.mp4", "wb") as file:
        file.write(b"none")
    command = [sys.executable, "-m", "monodepth_ros.cli.app", "predict", folder, "--json"]
    command += ["--model", str(model), "--out", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    assert [p["input"].rpartition("/")[2] for p in summary["predictions"]] == [
        "a.png",
        "caf\\udce9.png",
        "vid\\udce9o.avi",
    ]
    assert sorted(s["input"].rpartition("/")[2] for s in summary["skipped"]) == [
        "bad\\udce9.png",
        "no_vid\\udce9o.mp4",
    ]
    assert "skipped" in done.stderr and "bad\\udce9.png" in done.stderr
    written = sorted(os.listdir(os.fsencode(tmp_path / "out")))
    assert b"caf\xe9_depth.npy" in written and b"vid\xe9o_000000_preview.jpg" in written


def test_a_series_of_sixteen_bits_has_one_scale_and_other_pictures_their_own(model, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (30, 50)).astype(np.uint16)
    grey[0, 0] = 255
    pictures = {"frame_1.png": grey * 4, "frame_2.png": grey * 16, "full.png": grey * 257}
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / name)
    Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "eight_bits.png")
    Image.fromarray((grey // 4).astype(np.uint8)).save(tmp_path / "dark.png")
    result = run(tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    depth = {
        p.name.removesuffix("_depth.npy"): np.load(p) for p in (tmp_path / "out").glob("*.npy")
    }
    np.testing.assert_array_equal(depth["frame_2"], depth["eight_bits"])
    np.testing.assert_array_equal(depth["full"], depth["eight_bits"])
    np.testing.assert_array_equal(depth["frame_1"], depth["dark"])


def test_equal_names_do_not_overwrite(model, tmp_path):
    for folder in ("left", "right"):
        write_picture(tmp_path / folder / "0.png")
    run(tmp_path / "left", tmp_path / "right", "--out", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").glob("*.npy")) == [
        "0-2_depth.npy",
        "0_depth.npy",
    ]


def test_the_focal_length_makes_a_metric_model_metric(model, tmp_path):
    changes = {"scale": "metric", "factor": 2.0, "focal_length": 50.0}
    save_card(model, load_card(model).model_copy(update=changes))
    write_picture(tmp_path / "a.png", 64, 96)
    out = tmp_path / "out"
    plain = json.loads(run(tmp_path / "a.png", "--out", out, "--json").stdout)["predictions"][0]
    result = run(tmp_path / "a.png", "--out", out, "--json", "--focal", 100)
    known = json.loads(result.stdout)["predictions"][0]
    assert (plain["scale"], known["scale"]) == ("relative", "metric")
    assert known["depth_median"] == pytest.approx(4 * plain["depth_median"], rel=1e-5)


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.png",),
        ("a.png", "--model", "nonesuch"),
        ("a.png", "--size", "65x32"),
        ("a.png", "--size", "big"),
        ("a.png", "--device", "tpu"),
        ("a.png", "--precision", "fp8"),
        ("a.png", "--background", "black"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(model, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "a.png")
    result = run(*arguments, "--out", "out")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
