"""`monodepth tune`: wrong use is told in one line, and recordings are found wherever they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import HEIGHT, SECOND, TYPES, WIDTH, camera_info, image, write_camera
from recordings import write_folder
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.tuning.recordings import known_scenes, learnable_recordings
from monodepth_ros.progress import plain_console
from monodepth_ros.share_directory import share_directory


def test_bags_become_sequences_and_all_else_stays(tmp_path: Path) -> None:
    first = write_camera(tmp_path / "bags" / "first", range(6))
    write_camera(tmp_path / "bags" / "second", range(6))
    request = ExtractionRequest(image_format="jpg")
    out = tmp_path / "out"
    found = learnable_recordings(
        [str(tmp_path / "bags"), "recording@3:9"], out, request, [], plain_console()
    )
    assert found == [
        f"{out}/000_first/image_raw", f"{out}/001_second/image_raw", "recording@3:9",
    ]  # fmt: skip
    assert FolderSequence(found[0]).image(0).shape == (HEIGHT, WIDTH, 3)
    table = Path(found[0]) / "frames.csv"
    written = table.stat().st_mtime_ns
    (sliced,) = learnable_recordings([f"{first}@1:4"], out, request, [], plain_console())
    assert len(open_sequence(sliced)[0]) == 3 and table.stat().st_mtime_ns == written


def test_a_bag_without_a_usable_image_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_camera(tmp_path / "good", range(6))
    with BagWriter(tmp_path / "odd") as bag:
        message = image(SECOND, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        message.encoding = "unheard_of"
        for topic, kind, content in (
            ("/camera_info", "sensor_msgs/msg/CameraInfo", camera_info(SECOND)),
            ("/image_raw", "sensor_msgs/msg/Image", message),
        ):
            bag.write(topic, kind, SECOND, bytes(TYPES.serialize_cdr(content, kind)))
    bags = [str(tmp_path / name) for name in ("odd", "good")]
    unusable: list[str] = []
    found = learnable_recordings(
        bags, tmp_path / "out", ExtractionRequest(), unusable, plain_console()
    )
    assert found == [str(tmp_path / "out" / "001_good" / "image_raw")]
    (line,) = unusable  # goes into the verdict
    assert line.startswith(f"{tmp_path / 'odd'}: holds no camera's images")
    told = capsys.readouterr().err.replace("\n", "")
    assert "/image_raw: encoding 'unheard_of' is not known" in told and "left out: " in told
    with pytest.raises(UserError, match="odd: holds no camera.s images"):
        learnable_recordings(bags[:1], tmp_path / "out", ExtractionRequest(), [], plain_console())


RECIPE = """
data: {size: 192x128}
networks: {freeze_statistics: true}
schedule: {epochs: 1000}
trainer: {max_steps: 2, batch_size: 2, log_every: 1, pictures_every: 0, threads: 1}
"""


@pytest.fixture
def tune(model: Path, tmp_path: Path) -> Any:
    """`monodepth tune` of a small model on two short walks, by a short recipe."""
    for name in ("walk", "other"):
        write_folder(tmp_path / name, count=12, depth=False)
    (tmp_path / "short.yaml").write_text(RECIPE)

    def run(*arguments: str, recording: str = "walk") -> Any:
        options = ["--recipe", str(tmp_path / "short.yaml"), "--known", "none"]
        out = str(tmp_path / "tuned")
        command = ["tune", str(tmp_path / recording), "--out", out, *options, *arguments]
        return CliRunner().invoke(app, command)

    return run


def test_the_same_command_goes_on_and_no_other(tune: Any, model: Path, tmp_path: Path) -> None:
    first = tune("--minutes", "9")
    assert first.exit_code == 0, first.stderr
    told = first.stderr
    assert "at the model's image size 96x64, not at the recipe's data.size 192x128" in told
    assert re.search(r"^step 1/2  loss .* images/s  [0-9.]+ min left$", told, re.MULTILINE)
    again = tune("--minutes", "9")
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert tune("--minutes", "9", "--threads", "2").stdout == first.stdout
    shutil.copytree(model, model.parent / "twin")
    for arguments, recording, reason in (
        (["--minutes", "8"], "walk", "trainer.max_minutes was 9.0 and is 8.0 now"),
        (["--minutes", "9"], "other", r"RECORDINGS was \S+/walk and is \S+/other now"),
        (["--minutes", "9", "--model", "twin"], "walk", r"--model was \S+ and is \S+/twin now"),
        (["--minutes", "9", "--base", "twin"], "walk", r"--base was \S+ and is \S+/twin now"),
        (["--minutes", "9", "--keep", "0.5"], "walk", "--keep was 0.25 and is 0.5 now"),
        (["--minutes", "9", "--depth", "/d"], "walk", "--depth was not given and is /d now"),
        (
            ["--minutes", "9", "--set", "refinement.iterations=7"],
            "walk",
            "refinement.iterations was 4 and is 7 now",
        ),
    ):
        done = tune(*arguments, recording=recording)
        assert done.exit_code == 2
        assert re.search(f"tuned: holds another tuning: {reason}; choose", done.stderr)
    write_folder(tmp_path / "walk", count=13, depth=False)  # the recording has grown
    done = tune("--minutes", "9")
    assert done.exit_code == 2 and "the content of" in done.stderr


def test_a_folder_of_something_else_is_left_alone(tune: Any, tmp_path: Path) -> None:
    mine = tmp_path / "tuned" / "sequences" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")
    done = tune()
    assert done.exit_code == 2 and "holds sequences, and is no tuning's" in done.stderr
    assert mine.read_text() == "precious"


def test_known_scenes_come_with_the_package(tmp_path: Path) -> None:
    replay, check = known_scenes(None)
    assert Path(replay[0]).is_relative_to(share_directory())
    places = [sequence for part in (*replay, *check) for sequence in open_sequence(part)]
    assert len(places) == 6 and all(sequence.has_depth for sequence in places)
    assert sum(len(sequence) for sequence in places) == 98
    assert known_scenes("none") == ([], [])
    (tmp_path / "replay").mkdir()
    with pytest.raises(UserError, match="no check/"):
        known_scenes(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["x", "--out", "bad name"], "cannot be the name of a model"),
        (["x", "--out", "out", "--model", "nothing"], "no model called 'nothing'"),
        (["x", "--out", "out", "--recipe", "nothing"], "no recipe nothing"),
        (["x", "--out", "out", "--set", "data.nothing=1"], "data.nothing: unknown key"),
        (["x", "--out", "out"], "x: no such folder"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["tune", *arguments])
    assert done.exit_code == 2
    assert told in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_it_belongs_to_the_process_that_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monodepth_ros.cli.app", "tune", "x", "--out", "out"]
    done = subprocess.run(
        [*command, "--owner", str(os.getppid())], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2 and "is not the process that started this one" in done.stderr
