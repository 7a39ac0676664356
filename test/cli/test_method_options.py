"""`--method`, and its former name `--refine`, of the commands that measure motions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.cli.options.motion import chosen_method
from monodepth_ros.errors import UserError
from monodepth_ros.inference.odometry.registry import DEFAULT, METHODS
from monodepth_ros.share_directory import share_directory

WALK = str(share_directory() / "models/demo/sample_walk")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, [*arguments, "--device", "cpu", "--json"])


def replayed(out: Path, *arguments: str) -> dict[str, Any]:
    result = run("replay", WALK, "--every", "5", "--out", str(out), *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_former_name_is_understood_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen_method(None, True) == "refined"
    assert capsys.readouterr().err == "--refine is now --method refined\n"
    assert chosen_method("refined", True) == "refined"


def test_a_method_that_is_not_named_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert [chosen_method(m) for m in (None, "network")] == [DEFAULT, "network"]
    assert capsys.readouterr().err == ""


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(UserError, match="--refine is --method refined, which is not .*network"):
        chosen_method("network", True)
    with pytest.raises(UserError, match=f"method 'flow': use {', '.join(METHODS)}"):
        chosen_method("flow")


@pytest.mark.parametrize("command", ["replay", "evaluate odometry", "demo"])
def test_a_method_that_nobody_knows_ends_a_command(command: str, tmp_path: Path) -> None:
    given = {
        "replay": [WALK, "--out", str(tmp_path / "out")],
        "evaluate odometry": ["--model", "demo", "--data", WALK],
        "demo": ["--out", str(tmp_path / "out")],
    }[command]
    arguments = [*command.split(), *given, "--method", "flow"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2 and "method 'flow': use geometry" in result.stderr


def test_replay_says_what_has_measured_the_motions(tmp_path: Path) -> None:
    found = {name: replayed(tmp_path / name, "--method", name) for name in ("geometry", "refined")}
    for name, metrics in found.items():
        assert metrics[f"motions_{name}"] == metrics["frames_motion"] > 10
        assert [key for key in metrics if key.startswith("motions_")] == [f"motions_{name}"]
        assert metrics["fallbacks"] == {}
        rows = (tmp_path / name / "frames.csv").read_text().splitlines()
        column = rows[0].split(",").index("method")
        assert {row.split(",")[column] for row in rows[1:]} <= {name, ""}
        page = (tmp_path / name / "report.html").read_text()
        assert f"motions measured by method {name}" in page
    assert found["geometry"]["ate_m"] < found["refined"]["ate_m"]
