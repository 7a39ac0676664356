"""`monodepth evaluate depth` by several processes, and after a kill: the figures of one process."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.camera import PinholeCamera

CAMERA = PinholeCamera.from_focal_length(80, 48, fx=60.0, fy=60.0, cx=39.5, cy=23.5)
TABLES = ("metrics.json", "images.csv", "skipped.csv")


@pytest.fixture
def recordings(tmp_path):
    """Two, of which one frame has no depth and one image is damaged."""
    rng, paths = np.random.default_rng(0), []
    for name, count in (("walk", 37), ("stairs", 20)):
        paths.append(tmp_path / name)
        with SequenceWriter(paths[-1], CAMERA, fps=10, image_format="png") as writer:
            for number in range(count):
                rgb = cv2.resize(rng.integers(0, 256, (6, 10, 3), dtype=np.uint8), (80, 48))
                depth = rng.uniform(1, 5, (48, 80)).astype(np.float32)
                depth[:number] = np.nan
                writer.add(rgb, None if number == 5 else depth)
    image = sorted((tmp_path / "walk").rglob("*.png"))[8]
    image.write_bytes(image.read_bytes()[:60])
    return paths


def words(recordings, out, *more):
    data = [word for path in recordings for word in ("--data", str(path))]
    return ["evaluate", "depth", "--model", "demo", *data, "--out", str(out), "--json", *more]


def start(recordings, out, rank=0, count=1, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "monodepth_ros.cli.app", *words(recordings, out, *more)],
        env=dict(os.environ, RANK=str(rank), WORLD_SIZE=str(count), OMP_NUM_THREADS="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tables(folder):
    return {n: (folder / n).read_text() for n in TABLES if (folder / n).exists()}


@pytest.mark.parametrize("more", [(), ("--flip", "--every", "2")])
def test_two_processes_tell_what_one_does(model, recordings, tmp_path, more):
    alone = CliRunner().invoke(app, words(recordings, tmp_path / "alone", *more))
    assert alone.exit_code == 0, alone.output
    first, second = (start(recordings, tmp_path / "two", rank, 2, *more) for rank in (0, 1))
    second_output, errors = second.communicate(timeout=120)
    assert (second.returncode, second_output) == (0, ""), errors
    first_output, errors = first.communicate(timeout=120)
    assert (first.returncode, first_output) == (0, alone.stdout), errors
    assert tables(tmp_path / "two") == tables(tmp_path / "alone")
    assert not (tmp_path / "two" / ".evaluate").exists()


def test_a_killed_evaluation_is_gone_on_with(model, recordings, tmp_path):
    alone = CliRunner().invoke(app, words(recordings, tmp_path / "alone"))
    assert json.loads(alone.stdout)["images"] == 54
    killed = start(recordings, tmp_path / "killed", 0, 2)  # would wait for the second
    while killed.poll() is None and not list((tmp_path / "killed").glob(".evaluate/[!.]*.json")):
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = CliRunner().invoke(app, words(recordings, tmp_path / "killed"))
    assert " images kept from an earlier run, " in again.stderr
    assert again.stdout == alone.stdout
    assert tables(tmp_path / "killed") == tables(tmp_path / "alone")


def test_results_for_other_settings_are_not_kept(model, recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert CliRunner().invoke(app, words(recordings, tmp_path / "out")).stdout == ""
    monkeypatch.delenv("RANK")
    monkeypatch.delenv("WORLD_SIZE")
    other = CliRunner().invoke(app, words(recordings, tmp_path / "out", "--flip"))
    assert "kept" not in other.stderr
    assert json.loads(other.stdout)["images"] == 54


def test_prediction_files_are_shared_too(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for folder in ("pred", "gt"):
        (tmp_path / folder).mkdir()
        for number in range(20):
            depth = rng.uniform(1, 5, (12, 16)).astype(np.float32)
            np.save(tmp_path / folder / f"{number}.npy", depth)
    command = ["evaluate", "depth", "--pred", str(tmp_path / "pred"), "--gt", str(tmp_path / "gt")]
    alone = CliRunner().invoke(app, [*command, "--json"])
    shared = [*command, "--json", "--out", str(tmp_path / "out")]
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        result = CliRunner().invoke(app, shared)
    assert result.stdout == alone.stdout
    assert json.loads(alone.stdout)["images"] == 20
    missing = CliRunner().invoke(app, [*command, "--json"])
    assert missing.exit_code == 2
    assert "--out is missing: the folder in which several processes meet" in missing.stderr
