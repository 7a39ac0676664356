"""Bags opened like any recording: extracted once, and anew when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from bag_messages import FRAMES, SECOND, picture, write_drive, write_images

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.stamps import UNSTAMPED


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/monodepth_ros/bags"


def test_a_bag_is_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = write_drive(tmp_path / "bags" / "drive")
    (sequence,) = open_sequence(bag)
    assert len(sequence) == FRAMES and not sequence.has_depth
    np.testing.assert_array_equal(sequence.image(3), picture(3))
    assert "extracting" in capsys.readouterr().err
    (part,) = open_sequence(f"{bag / 'drive.mcap'}@2:9:3")
    assert len(part) == 3
    capsys.readouterr()
    assert [len(s) for s in open_sequence(tmp_path / "bags")] == [FRAMES]
    assert capsys.readouterr().err == ""  # it was found


def test_an_interrupted_extraction_is_completed(tmp_path: Path, cache: Path) -> None:
    bag = write_drive(tmp_path / "drive")
    open_sequence(bag)
    (folder,) = cache.iterdir()
    table = (folder / "0/frames.csv").read_text().splitlines(keepends=True)
    (folder / "0/frames.csv").write_text("".join(table[:5]))
    assert [len(s) for s in open_sequence(bag)] == [FRAMES]


def test_a_bag_that_has_changed_is_extracted_anew(tmp_path: Path, cache: Path) -> None:
    bag = write_drive(tmp_path / "drive")
    open_sequence(bag)
    os.utime(bag / "drive.mcap", ns=(1, 1))
    open_sequence(bag)
    assert len(list(cache.iterdir())) == 2


def test_a_bag_without_images_is_refused(real_data: Path) -> None:
    with pytest.raises(UserError, match="no camera's images"):
        open_sequence(real_data / "rosbags/nav2_turtlebot.mcap")


def test_what_was_left_out_is_told_whenever_the_bag_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamps = [0 if k == 4 else (10 + k) * SECOND for k in range(8)]
    bag = write_images(tmp_path / "bag", stamps)
    told = f"bag: /front/image_raw: 1 left out: {UNSTAMPED}"
    for _ in range(2):  # extracted, then found
        (sequence,) = open_sequence(bag)
        assert told in capsys.readouterr().err.splitlines()
        assert len(sequence) == 7 and sequence.left_out == {UNSTAMPED: 1}
    (part,) = open_sequence(f"{bag}@2:6")
    assert part.account == [f"1 left out: {UNSTAMPED}"]
    still = write_images(tmp_path / "unstamped", [0] * 8)
    (sequence,) = open_sequence(still)
    note = "/front/image_raw: its driver does not stamp; the recorded times are used"
    assert sequence.notes == (note,) and not sequence.left_out
    assert f"unstamped: {note}" in capsys.readouterr().err
