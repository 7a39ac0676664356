"""`monodepth tune`: wrong use is told in one line, and the same command goes on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recordings import write_folder
from typer.testing import CliRunner

from monodepth_ros.cli.app import app

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
