"""What `extract`, `replay` and `tune` say of what was asked for; one bad part spares the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import (
    FRAMES,
    camera_info,
    depth_image,
    image,
    picture,
    stamp_of,
    write_drive,
    write_messages,
)
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import Failure, UserError
from monodepth_ros.learning.tuning.recordings import learnable_recordings
from monodepth_ros.progress import plain_console
from monodepth_ros.visualisation.picture_file import write_png

LATE = 33_000_000  # nanoseconds from an image to the depth of the camera without sync


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("bags") / "drive")


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth 33 ms beside the images, but for two of them."""
    messages = []
    for number in range(10):
        at = stamp_of(number)
        beside = at + (LATE if number > 1 else 0)
        messages += [
            ("/front/image_raw", image(at, picture(number)), at),
            ("/front/camera_info", camera_info(at), at),
            ("/front/range", depth_image(beside, 2.0), beside),
        ]
    return write_messages(tmp_path_factory.mktemp("bags") / "apart", messages)


@pytest.fixture(scope="module")
def two_cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first by name is not calibrated, and a third has no message."""
    messages = []
    for number in range(6):
        at = stamp_of(number)
        zeros = camera_info(at)
        zeros.k = np.zeros(9)
        messages += [
            ("/depth_camera/a/image_raw", image(at, picture(number)), at),
            ("/depth_camera/a/camera_info", zeros, at),
            ("/depth_camera/b/image_raw", image(at, picture(number)), at),
            ("/depth_camera/b/camera_info", camera_info(at), at),
        ]
    return write_messages(tmp_path_factory.mktemp("bags") / "two", messages)


def test_how_many_frames_have_depth_and_why_the_others_have_none(
    apart: Path, tmp_path: Path
) -> None:
    options = ("--depth", "/front/range", "--out", tmp_path / "out")
    told = command("extract", apart, *options)
    assert told.exit_code == 0
    line = "depth 2 of 10 frames: nearest stamp 33 ms away (tolerance 20 ms)"
    assert f"  {line}\n" in told.stderr
    again = command("extract", apart, *options, "--json")  # found complete, with its account
    (outcome,) = json.loads(again.stdout)
    (coverage,) = outcome["coverage"]
    assert (coverage["what"], coverage["found"], coverage["frames"]) == ("depth", 2, 10)
    assert coverage["missing"] == {"nearest stamp 33 ms away (tolerance 20 ms)": 8}
    sequence = FolderSequence(tmp_path / "out/apart_front_image_raw")
    assert [sequence.depth(n) is not None for n in range(10)] == [True] * 2 + [False] * 8


def test_nothing_of_it_is_a_failure_that_names_the_distance(drive: Path, tmp_path: Path) -> None:
    options = ("--depth", "/front/depth/image", "--tolerance", "0.001", "--poses", "/odom")
    told = command("extract", drive, *options, "--out", tmp_path / "out")
    assert told.exit_code == 1
    last = told.stderr.strip().splitlines()[-1]
    assert last == (
        f"monodepth: {drive}: /front/depth/image: depth 0 of {FRAMES} frames: nearest stamp 4 ms"
        " away (tolerance 1 ms)"
    )
    assert f"poses {FRAMES} of {FRAMES} frames" in told.stderr


def test_one_bad_camera_spares_the_other(two_cameras: Path, tmp_path: Path) -> None:
    told = command("extract", two_cameras, "--out", tmp_path / "out", "--json")
    assert told.exit_code == 0
    bad, good = json.loads(told.stdout)
    assert (bad["images"], bad["frames"]) == ("/depth_camera/a/image_raw", 0)
    assert "K is all zeros" in bad["failure"] and good["failure"] == ""
    assert good["frames"] == 6 == len(FolderSequence(good["out"]))
    named = command(
        *("extract", two_cameras, "--out", tmp_path / "named"),
        *("--images", "/depth_camera/a/image_raw", "--images", "/depth_camera/b/image_raw"),
    )
    assert named.exit_code == 1
    assert "/depth_camera/a/image_raw: no image could be taken" in named.stderr
    alone = command(
        *("extract", two_cameras, "--out", tmp_path / "alone"),
        *("--images", "/depth_camera/a/image_raw"),
    )
    assert alone.exit_code == 2 and alone.stderr.count("K is all zeros") == 1


def test_one_bad_bag_spares_the_others(drive: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"no bag")
    told = command("extract", bad, drive, "--out", tmp_path / "out", "--json")
    assert told.exit_code == 1 and "monodepth: " in told.stderr and "bad.mcap" in told.stderr
    assert [outcome["frames"] for outcome in json.loads(told.stdout)] == [FRAMES]


def test_a_rate_that_is_missing_is_wrong_use_whatever_else_is_good(
    drive: Path, tmp_path: Path
) -> None:
    images = tmp_path / "walk"
    images.mkdir()
    for number in range(3):
        write_png(images / f"{number}.png", picture(number))
    guess = ("--field-of-view", "60")
    for sources in ((drive, images), (images, images), (images,)):
        told = command("extract", *sources, "--out", tmp_path / f"out{len(sources)}", *guess)
        assert told.exit_code == 2 and "give their rate with --fps" in told.stderr
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"no bag")
    told = command("extract", images, bad, "--out", tmp_path / "bad", *guess)
    assert told.exit_code == 1  # a file is bad as well


@pytest.mark.parametrize("name", ["extract", "replay"])
def test_a_bag_of_damaged_images_is_a_failure(name: str, tmp_path: Path) -> None:
    messages = []
    for number in range(3):
        cut = image(stamp_of(number), picture(number))
        cut.data = cut.data[:100]
        messages += [
            ("/image_raw", cut, stamp_of(number)),
            ("/camera_info", camera_info(stamp_of(number)), stamp_of(number)),
        ]
    bag = write_messages(tmp_path / "bag", messages)
    told = command(name, bag, "--out", tmp_path / "out")
    assert told.exit_code == 1 and "no frame could be" in told.stderr
    assert "100 bytes are too few" in told.stderr


def test_topics_are_listed_with_what_they_are(apart: Path) -> None:
    listed = command("extract", apart, "--topics").stdout
    assert "/front/image_raw  sensor_msgs/msg/Image  camera (rgb8), 10 messages" in listed
    assert "/front/range  sensor_msgs/msg/Image  depth (16UC1), 10 messages" in listed


def test_replay_takes_the_next_camera_and_says_so(two_cameras: Path, tmp_path: Path) -> None:
    told = command("replay", two_cameras, "--out", tmp_path / "out", "--device", "cpu", "--json")
    assert told.exit_code == 0, told.stderr
    account = json.loads(told.stdout)
    assert account["frames"] == 6
    assert any("a/image_raw: camera_info: K is all zeros" in line for line in account["problems"])
    page = (tmp_path / "out/report.html").read_text()
    assert "/depth_camera/b/image_raw" in page and "K is all zeros" in page


def test_replay_says_what_it_did_not_find(drive: Path, tmp_path: Path) -> None:
    options = ("--poses", "/tf_static", "--frame", "map", "--depth", "/front/depth/image")
    told = command("replay", drive, *options, "--out", tmp_path / "out", "--device", "cpu")
    assert told.exit_code == 1
    line = f"poses 0 of {FRAMES} frames"
    assert line in told.stderr.splitlines()[-1] and "depth 0 of" not in told.stderr
    page = (tmp_path / "out/report.html").read_text()
    assert line in page and f"depth {FRAMES} of {FRAMES} frames" in page


def test_replay_takes_a_mounting_and_a_tolerance(apart: Path, tmp_path: Path) -> None:
    options = ("--depth", "/front/range", "--tolerance", 0.04, "--device", "cpu")
    told = command("replay", apart, *options, "--out", tmp_path / "out")
    assert told.exit_code == 0 and "depth 10 of 10 frames" in told.stderr
    wrong = command("replay", apart, "--mounting", "1 2 3", "--out", tmp_path / "wrong")
    assert wrong.exit_code == 2 and "six numbers are wanted" in wrong.stderr


def test_a_reason_is_told_as_it_is(tmp_path: Path) -> None:
    """The console takes no text for markup, as it would a bracket before a letter."""
    messages = []
    for number in range(2):
        stamp = stamp_of(number)
        bad, good = camera_info(stamp), camera_info(stamp)
        bad.k[0] = np.nan
        for name, info in (("/front", bad), ("/back", good)):
            messages += [
                (f"{name}/camera_info", info, stamp),
                (f"{name}/image_raw", image(stamp, picture(number)), stamp),
            ]
    bag = write_messages(tmp_path / "bag", messages)
    told = command("extract", bag, "--out", tmp_path / "out")
    assert told.exit_code == 0 and told.stderr.count("[[nan, 0.0, 16.0]") == 1


def test_a_bag_by_one_of_its_topics(two_cameras: Path, tmp_path: Path) -> None:
    good = f"{two_cameras}@/depth_camera/b/image_raw"
    (sequence,) = open_sequence(good)
    assert len(sequence) == 6
    np.testing.assert_array_equal(sequence.image(3), picture(3))
    assert len(open_sequence(f"{good}@1:5:2")[0]) == 2
    with pytest.raises(UserError, match="no topic '/front'"):
        open_sequence(f"{two_cameras}@/front")
    (folder,) = learnable_recordings(
        [f"{good}@:4"], tmp_path / "tune", ExtractionRequest(), [], plain_console()
    )
    assert len(open_sequence(folder)[0]) == 4


def test_a_bag_as_a_recording_names_its_bad_camera_every_time(
    two_cameras: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        (sequence,) = open_sequence(two_cameras)
        assert len(sequence) == 6 and sequence.name.endswith("/depth_camera/b/image_raw")
        told = "/depth_camera/a/image_raw: camera_info: K is all zeros"
        assert told in capsys.readouterr().err and told in sequence.account[-1]


def test_tune_does_not_learn_without_the_depth_that_should_judge(
    drive: Path, apart: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ExtractionRequest(depth="/front/depth/image", tolerance=0.001)
    with pytest.raises(Failure, match="/front/depth/image"):
        learnable_recordings([str(drive)], tmp_path / "out", request, [], plain_console())
    assert "depth 0 of 12 frames: nearest stamp 4 ms away" in capsys.readouterr().err
    few = ExtractionRequest(depth="/front/range")
    assert len(learnable_recordings([str(apart)], tmp_path / "few", few, [], plain_console())) == 1
