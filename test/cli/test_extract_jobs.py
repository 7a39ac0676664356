"""`monodepth extract --jobs N`: the folders and the account of one bag after another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bag_messages import write_camera
from typer.testing import CliRunner

from monodepth_ros.cli.app import app


def extract(bags: list[Path], out: Path, *more: str) -> tuple[int, object, dict[str, bytes]]:
    """Status, account, and all files."""
    words = ["extract", *map(str, bags), "--out", str(out), "--json", *more]
    done = CliRunner().invoke(app, words)
    files = {str(f.relative_to(out)): f.read_bytes() for f in out.rglob("*") if f.is_file()}
    return done.exit_code, json.loads(done.stdout.replace(str(out), "OUT")), files


@pytest.fixture
def bags(tmp_path: Path) -> list[Path]:
    return [
        write_camera(tmp_path / "one", range(8)),
        write_camera(tmp_path / "day1" / "camera", range(5)),
        write_camera(tmp_path / "day2" / "camera", range(20, 26)),
        write_camera(tmp_path / "two", range(3), topics=("/left", "/right")),
    ]


def test_several_at_a_time_leave_what_one_at_a_time_leaves(
    tmp_path: Path, bags: list[Path]
) -> None:
    alone = extract(bags, tmp_path / "alone")
    assert alone[0] == 0
    assert [found["out"] for found in alone[1]] == [  # type: ignore[attr-defined]
        f"OUT/{name}"
        for name in ("one_image_raw", "camera_image_raw", "camera_image_raw_2")
        + ("two_left", "two_right")
    ]
    assert extract(bags, tmp_path / "jobs", "--jobs", "3") == alone


def test_a_bag_that_cannot_be_read_is_told_and_the_others_are_extracted(
    tmp_path: Path, bags: list[Path]
) -> None:
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"none")
    alone = extract([broken, *bags], tmp_path / "alone")
    assert alone[0] == 1
    assert len(alone[1]) == 5  # type: ignore[arg-type]
    assert extract([broken, *bags], tmp_path / "jobs", "--jobs", "2") == alone
