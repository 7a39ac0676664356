"""`monodepth extract`: a folder holds one recording by one request, and says so otherwise."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import FRAMES, picture, write_camera, write_drive
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import FolderSequence


def extract(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["extract", *map(str, arguments)])


def outcomes(*arguments: object) -> list[dict[str, Any]]:
    done = extract(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return list(json.loads(done.stdout))


def test_bags_of_one_name_get_a_folder_each(tmp_path: Path) -> None:
    days = [
        write_camera(tmp_path / "day1/camera", range(8)),
        write_camera(tmp_path / "day2/camera", range(30, 42)),
    ]
    out = tmp_path / "out"
    told = extract(*days, "--out", out, "--format", "png").stderr
    first, second = out / "camera_image_raw", out / "camera_image_raw_2"
    assert f"8 frames of /image_raw of {days[0]} in {first}\n" in told
    assert f"12 frames of /image_raw of {days[1]} in {second}\n" in told
    assert [len(FolderSequence(folder)) for folder in (first, second)] == [8, 12]
    np.testing.assert_array_equal(FolderSequence(first).image(7), picture(7))
    np.testing.assert_array_equal(FolderSequence(second).image(0), picture(30))
    # In the other order, each is found where it is.
    found = outcomes(*reversed(days), "--out", out, "--format", "png")
    assert [(o["out"], o["frames"]) for o in found] == [(str(second), 12), (str(first), 8)]


def test_topics_and_bags_whose_names_become_one(tmp_path: Path) -> None:
    bag = write_camera(tmp_path / "drive", range(3), topics=("/a/b_c/image", "/a_b/c/image"))
    (tmp_path / "drive.mcap").write_bytes((bag / "drive.mcap").read_bytes())
    found = outcomes(bag, tmp_path / "drive.mcap", "--out", tmp_path / "out")
    folders = [Path(str(o["out"])).name for o in found]
    assert folders == [f"drive_a_b_c_image{end}" for end in ("", "_2", "_3", "_4")]
    assert [o["frames"] for o in found] == [3] * 4


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ([], ["--depth", "/front/depth/image"], "--depth was not given and is /front/depth/image"),
        (["--poses", "/odom"], [], "--poses was /odom and is not given now"),
        (["--every", "2"], ["--every", "3"], "--every was 2 and is 3 now"),
        ([], ["--format", "png"], "--format was not given and is png now"),
        ([], ["--motion", "0.1"], "--motion was not given and is 0.1 now"),
        ([], ["--licence", "CC0"], "--licence was not given and is CC0 now"),
        (
            ["--poses", "/odom", "--mounting", "0 0 1 0 0 0"],
            ["--poses", "/odom", "--mounting", "0 0 2 0 0 0"],
            "--mounting has other values now",
        ),
    ],
)
def test_another_request_into_the_same_folder_is_refused(
    first: list[str], then: list[str], told: str, tmp_path: Path
) -> None:
    bag, out = write_drive(tmp_path / "drive"), tmp_path / "out"
    assert extract(bag, "--out", out, *first).exit_code == 0
    table = out / "drive_front_image_raw/frames.csv"
    written = table.read_bytes()
    done = extract(bag, "--out", out, *then)
    assert done.exit_code == 2 and told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert table.read_bytes() == written
    assert extract(bag, "--out", out, *first).exit_code == 0  # the former goes on being found


def test_the_other_cameras_of_a_bag_may_come_later(tmp_path: Path) -> None:
    bag = write_camera(tmp_path / "drive", range(4), topics=("/left/image", "/right/image"))
    arguments = (bag, "--out", tmp_path / "out")
    assert len(outcomes(*arguments, "--images", "/left/image")) == 1
    assert [o["frames"] for o in outcomes(*arguments)] == [4, 4]


def test_a_bag_that_has_grown_or_changed_is_noticed(tmp_path: Path) -> None:
    bag, out = write_camera(tmp_path / "drive", range(4)), tmp_path / "out"
    assert outcomes(bag, "--out", out)[0]["frames"] == 4
    for frames in (range(9), range(3, 7)):
        write_camera(bag, frames)
        done = extract(bag, "--out", out)
        assert done.exit_code == 2
        assert f"{bag} has changed since" in done.stderr
    assert outcomes(bag, "--out", tmp_path / "new")[0]["frames"] == 4


def test_an_interrupted_extraction_goes_on_and_an_edited_one_does_not(tmp_path: Path) -> None:
    bag, out = write_drive(tmp_path / "drive"), tmp_path / "out"
    extract(bag, "--out", out)
    folder = out / "drive_front_image_raw"
    whole = (folder / "frames.csv").read_text()
    rows = whole.splitlines(keepends=True)
    (folder / "frames.csv").write_text("".join(rows[:6])[:-9])  # as a kill leaves it
    assert outcomes(bag, "--out", out)[0]["frames"] == FRAMES
    assert (folder / "frames.csv").read_text() == whole
    (folder / "frames.csv").write_text("".join([*rows[:3], *rows[4:]]))
    done = extract(bag, "--out", out)
    assert done.exit_code == 2 and "holds other frames than this extraction" in done.stderr


def test_what_was_left_out_is_told_again(tmp_path: Path) -> None:
    bag, out = write_drive(tmp_path / "drive"), tmp_path / "out"
    first = outcomes(bag, "--out", out, "--every", "3")
    images = out / "drive_front_image_raw/images"
    times = [os.stat(file).st_mtime_ns for file in sorted(images.iterdir())]
    assert first[0]["left_out"] == {"between every n-th image": FRAMES - 4}
    assert outcomes(bag, "--out", out, "--every", "3") == first
    assert [os.stat(file).st_mtime_ns for file in sorted(images.iterdir())] == times


def test_a_sequence_of_another_origin_is_left_alone(tmp_path: Path) -> None:
    bag, out = write_drive(tmp_path / "drive"), tmp_path / "out"
    by_hand = out / "drive_front_image_raw"
    extract(bag, "--out", out)
    record = by_hand / "sequence.yaml"
    record.write_text(record.read_text().partition("origin:")[0])
    (found,) = outcomes(bag, "--out", out)
    assert found["out"] == f"{by_hand}_2" and found["frames"] == FRAMES
