"""`monodepth predict` by several processes, and after one was killed: the files of one process."""

import json
import os
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from monodepth_ros.cli.app import app

IMAGES = 36


@pytest.fixture
def inputs(tmp_path):
    """Images, one of them damaged, and a video, after them in name."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 256, (24 + number % 3, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"a_{number:03d}.png")
    (folder / "a_020.png").write_bytes(b"none")
    video = cv2.VideoWriter(str(folder / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 24))
    for _ in range(20):
        video.write(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    video.release()
    return folder


def command(inputs, out, rank=0, count=1):
    environment = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(count), OMP_NUM_THREADS="1")
    words = [sys.executable, "-m", "monodepth_ros.cli.app", "predict", str(inputs), "--json"]
    return {"args": [*words, "--out", str(out)], "env": environment, "text": True}


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.glob("[!.]*")}


def told(text, out):
    """The JSON of a run, without what takes time and where it went."""
    summary = json.loads(text.replace(str(out), "OUT"))
    del summary["median_seconds"]
    for prediction in summary["predictions"]:
        del prediction["seconds"]
    return summary


def run(inputs, out):
    return CliRunner().invoke(app, ["predict", str(inputs), "--out", str(out), "--json"])


@pytest.fixture
def alone(model, inputs, tmp_path):
    """What one process writes and tells."""
    out = tmp_path / "alone"
    result = run(inputs, out)
    assert result.exit_code == 1  # one input is damaged
    summary = told(result.stdout, out)
    assert summary["frames"] == IMAGES - 1 + 20
    assert [s["input"][-9:] for s in summary["skipped"]] == ["a_020.png"]
    assert len(contents(out)) == 2 * summary["frames"]
    return contents(out), summary


def test_two_processes_write_and_tell_what_one_does(alone, inputs, tmp_path):
    out, pipes = tmp_path / "two", {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    first, second = (subprocess.Popen(**command(inputs, out, rank, 2), **pipes) for rank in (0, 1))
    second_output, errors = second.communicate(timeout=120)
    assert (second.returncode, second_output) == (0, ""), errors
    first_output, errors = first.communicate(timeout=120)
    assert first.returncode == 1, errors
    assert (contents(out), told(first_output, out)) == alone


def test_a_killed_process_s_part_is_done_by_the_next_run(alone, inputs, tmp_path):
    out = tmp_path / "killed"
    process = subprocess.Popen(**command(inputs, out, 0, 2), stdout=subprocess.PIPE)
    while process.poll() is None and not list((out / ".predict").glob("[!.]*.json")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    for unfinished in out.glob(".*.*"):  # what a kill leaves of files that were being written
        unfinished.unlink()
    kept = {file: file.stat().st_mtime_ns for file in out.glob("a_00*")}
    assert len(kept) == 20
    result = run(inputs, out)
    assert " frames kept from an earlier run, " in result.stderr
    assert (contents(out), told(result.stdout, out)) == alone
    assert {file: file.stat().st_mtime_ns for file in kept} == kept


def test_what_is_complete_is_kept_until_input_settings_or_files_are_others(alone, inputs, tmp_path):
    out = tmp_path / "alone"
    # The damaged image's part is tried again.
    assert "37 frames kept from an earlier run, 16 to be done" in run(inputs, out).stderr
    Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(inputs / "a_020.png")
    (out / "a_000_depth.npy").unlink()
    result = run(inputs, out)
    assert "21 frames kept from an earlier run, 32 to be done" in result.stderr
    assert result.exit_code == 0
    assert "53 frames kept from an earlier run, 0 to be done" in run(inputs, out).stderr
    changed = CliRunner().invoke(
        app, ["predict", str(inputs), "--out", str(out), "--size", "64x32", "--json"]
    )
    assert "kept" not in changed.stderr
    assert json.loads(changed.stdout)["frames"] == IMAGES + 20


def test_without_previews_depth_is_the_same(alone, inputs, tmp_path):
    out = tmp_path / "depth_alone"
    words = ["predict", str(inputs), "--out", str(out), "--no-preview", "--json"]
    result = CliRunner().invoke(app, words)
    depths = {name: data for name, data in alone[0].items() if name.endswith("_depth.npy")}
    assert contents(out) == depths
    assert {prediction["preview"] for prediction in json.loads(result.stdout)["predictions"]} == {
        None
    }
    assert "37 frames kept" in CliRunner().invoke(app, words).stderr
