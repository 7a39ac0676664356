"""`monodepth replay` of many recordings: the reports of one at a time, shared, and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from bag_messages import write_drive
from typer.testing import CliRunner

from monodepth_ros.cli.app import app

TRUTH = ["--depth", "/front/depth/image", "--poses", "/odom", "--device", "cpu"]
SAME = ("metrics.json", "frames.csv", "odometry.tum", "report.html", "frame_000000.png")


def replay(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["replay", *map(str, arguments), *TRUTH])
    return result.exit_code, result.stdout, result.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SAME}


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("bags")
    return [write_drive(folder / name / "drive", frames) for name, frames in (("a", 8), ("b", 6))]


@pytest.fixture(scope="module")
def alone(drives: list[Path]) -> list[dict[str, bytes]]:
    """The reports of one at a time."""
    outs = [drive.parent / "alone" for drive in drives]
    assert all(replay(drive, "--out", o)[0] == 0 for drive, o in zip(drives, outs, strict=True))
    return [contents(out) for out in outs]


def test_many_give_the_report_of_each(
    drives: list[Path], alone: list[dict[str, bytes]], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, told, _ = replay(*drives, "--out", out, "--json")
    assert status == 0
    assert [contents(out / name) for name in ("drive", "drive-2")] == alone
    metrics = json.loads(told)
    assert {name: m["frames"] for name, m in metrics.items()} == {"drive": 8, "drive-2": 6}
    assert metrics["drive"] == json.loads(alone[0]["metrics.json"])
    assert json.loads((out / "replays.json").read_text()) == metrics
    # The same command keeps what is there; another one does not begin there.
    written = (out / "drive" / "metrics.json").stat().st_mtime_ns
    shutil.rmtree(out / "drive-2")
    for part in (out).glob(".replay-*/[!.]*.json"):
        if json.loads(part.read_text())["metrics"]["frames"] == 6:
            part.unlink()
    again = replay(*drives, "--out", out, "--json")
    assert again[:2] == (0, told)
    assert "1 recordings kept from an earlier run, 1 to be done" in again[2]
    assert (out / "drive" / "metrics.json").stat().st_mtime_ns == written
    assert contents(out / "drive-2") == alone[1]
    other = replay(*drives, "--out", out, "--every", "2")
    assert other[0] == 2 and "holds something else; name a new folder" in other[2]


def test_two_processes_share_them(
    drives: list[Path],
    alone: list[dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert replay(*drives, "--out", tmp_path, "--json")[:2] == (0, "")
    assert not (tmp_path / "drive").exists()
    monkeypatch.setenv("RANK", "0")
    assert replay(*drives, "--out", tmp_path, "--json")[0] == 0
    assert [contents(tmp_path / name) for name in ("drive", "drive-2")] == alone


def test_one_that_cannot_be_replayed_is_told(drives: list[Path], tmp_path: Path) -> None:
    status, told, errors = replay(drives[0], tmp_path / "none", "--out", tmp_path / "out", "--json")
    assert status == 1
    assert f"monodepth: {tmp_path / 'none'}: no such folder" in errors
    assert json.loads(told)["none"] == {}
    assert (tmp_path / "out" / "drive" / "report.html").is_file()
    assert not (tmp_path / "out" / "none").exists()
