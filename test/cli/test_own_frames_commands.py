"""A folder of images and a video through the commands, from nothing but their path."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from recipes import SELF_SUPERVISED, SMALL
from typer.testing import CliRunner, Result

from monodepth_ros.cli.app import app
from monodepth_ros.data.notes import print_once
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.zoo.card import load_card

SIZE = (128, 96)  # width, height
GUESS = ["--field-of-view", "70"]


def run(*arguments: object) -> Result:
    print_once.cache_clear()  # as in a process of its own
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def walk(count: int) -> list[np.ndarray]:
    """A textured wall that slides by, two pixels a frame."""
    rough = np.random.default_rng(0).integers(0, 256, (24, 96, 3), dtype=np.uint8)
    wall = cv2.resize(rough, (SIZE[0] * 3, SIZE[1]), interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(wall[:, 2 * k : 2 * k + SIZE[0]]) for k in range(count)]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "my walk"
    folder.mkdir()
    for index, image in enumerate(walk(12)):
        Image.fromarray(image).save(folder / f"DSC{index:04d}.JPG", format="JPEG")
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "my film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, SIZE)
    for image in walk(61):
        writer.write(image[:, :, ::-1])
    writer.release()
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["train", "slim", "--data"],
        ["tune", "--out", "OUT", "--known", "none"],
        ["replay", "--out", "OUT"],
        ["extract", "--out", "OUT"],
        ["evaluate", "depth", "--model", "demo", "--data"],
        ["evaluate", "odometry", "--model", "demo", "--data"],
        ["evaluate", "scale", "--model", "demo", "--data"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_every_command_says_what_to_do_without_intrinsics(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    last = [images] if command[-1] in ("--data",) else []
    first = [] if last else [images]
    done = run(command[0], *first, *[part.replace("OUT", "out") for part in command[1:]], *last)
    assert done.exit_code == 2, done.output
    told = " ".join(done.stderr.split())
    assert "no intrinsics" in told and "K.txt" in told and "--field-of-view DEGREES" in told


def test_extract_a_video_and_go_on_from_there(video: Path, tmp_path: Path) -> None:
    options = ["--out", tmp_path, "--every", 20, "--json"]
    done = run("extract", video, *options, *GUESS)
    assert done.exit_code == 0, done.output
    (outcome,) = json.loads(done.stdout)
    assert outcome["frames"] == 4 and outcome["left_out"] == {"between every n-th image": 57}
    record = yaml.safe_load((Path(outcome["out"]) / "sequence.yaml").read_text())
    assert record["calibration"] == "guessed" and record["fps"] == 1.0
    (sequence,) = open_sequence(outcome["out"])
    assert sequence.calibration == "guessed"
    assert [sequence.stamp_ns(index) for index in range(4)] == [0, 10**9, 2 * 10**9, 3 * 10**9]
    assert sequence.camera.K[0, 0] == pytest.approx(64 / np.tan(np.radians(35)))
    again = run("extract", video, *options, *GUESS)
    assert again.exit_code == 0 and json.loads(again.stdout) == [outcome]
    other = run("extract", video, *options, "--field-of-view", 80)
    assert other.exit_code == 2 and "--field-of-view" in other.stderr
    refused = run("extract", video, "--out", tmp_path / "b", "--poses", "/odom", *GUESS)
    assert refused.exit_code == 2 and "--poses is for bags" in refused.stderr


def test_replay_needs_a_rate_and_marks_the_guess(images: Path, tmp_path: Path) -> None:
    asked = run("replay", images, "--out", tmp_path / "a", *GUESS)
    assert asked.exit_code == 2 and "give their rate with --fps" in asked.stderr
    done = run("replay", images, "--out", tmp_path / "b", *GUESS, "--fps", 5)
    assert done.exit_code == 0, done.output
    assert "its intrinsics are a guess" in done.stderr
    assert "<td>intrinsics</td><td>guessed</td>" in (tmp_path / "b/report.html").read_text()
    assert json.loads((tmp_path / "b/metrics.json").read_text())["intrinsics"] == "guessed"
    seconds = [row.split(",")[1] for row in (tmp_path / "b/frames.csv").read_text().splitlines()]
    assert seconds[1:4] == ["0.000000", "0.200000", "0.400000"]


def test_evaluations_count_guesses(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    shutil.copytree(images, folder / "images")
    (folder / "depth").mkdir()
    for image in (folder / "images").iterdir():
        depth = np.full((SIZE[1], SIZE[0]), 2000, np.uint16)
        depth[:, ::2] = 3000
        Image.fromarray(depth).save(folder / "depth" / f"{image.stem}.png")
    options = ["--model", "demo", "--data", folder, "--json"]
    done = run("evaluate", "depth", *options, *GUESS, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["guessed_cameras"] == 1
    assert json.loads((tmp_path / "report/metrics.json").read_text())["guessed_cameras"] == 1
    (folder / "K.txt").write_text("90 0 63.5\n0 90 47.5\n0 0 1\n")
    done = run("evaluate", "depth", *options)
    assert done.exit_code == 0 and "guessed_cameras" not in json.loads(done.stdout)


def test_replay_of_frames_far_apart_is_not_all_gaps(video: Path, tmp_path: Path) -> None:
    done = run("replay", video, "--out", tmp_path / "a", *GUESS, "--every", 20)
    assert done.exit_code == 0, done.output
    told = "images are 1 s apart, more than odometry is made for: steps of up to 1.5 s"
    assert told in done.stderr and told in (tmp_path / "a/report.html").read_text()
    rows = (tmp_path / "a/frames.csv").read_text().splitlines()
    events = [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]]
    assert [row["event"] for row in events] == ["start", "motion", "motion", "motion"]
    slow = run("replay", video, "--out", tmp_path / "b", *GUESS, "--every", 20, "--fps", 4)
    assert "5 s apart" in slow.stderr and "every step counts as a gap" in slow.stderr


def test_a_model_that_learnt_by_a_guess_says_so(images: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump({**SMALL, "losses": SELF_SUPERVISED}))
    options = ["--data", images, "--set", "trainer.max_steps=1", "--out"]
    for name, stated in (("guessed", GUESS), ("measured", [])):
        if name == "measured":
            (images / "K.txt").write_text("90 0 63.5\n0 90 47.5\n0 0 1\n")
        model = tmp_path / f"{name}_model"
        done = run("train", recipe, *options, tmp_path / name, "--export", model, *stated)
        assert done.exit_code == 0, done.output
        assert load_card(model).provenance.calibration == name
        assert ("intrinsics are a guess" in done.stderr) == (name == "guessed")
        out = tmp_path / f"tuned_from_{name}"
        tuned = run("tune", tmp_path / "nowhere", "--model", model, "--out", out)
        assert tuned.exit_code == 2
        assert ("was learnt with guessed intrinsics" in tuned.stderr) == (name == "guessed")
    # What is learnt by a measured camera from such a model still rests on the guess.
    heir = tmp_path / "heir"
    begin = ["--init", tmp_path / "guessed_model", "--export", heir]
    done = run("train", recipe, *options, tmp_path / "heir_run", *begin)
    assert done.exit_code == 0, done.output
    assert load_card(heir).provenance.calibration == "guessed"
    (images / "K.txt").unlink()
