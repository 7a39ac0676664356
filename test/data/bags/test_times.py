"""Bags whose clocks go wrong: what extraction keeps of them, and what it says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from bag_messages import (
    FRAMES,
    camera_info,
    depth_image,
    image,
    odometry,
    picture,
    stamp_of,
    write_images,
    write_messages,
)

from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.frames import BagFrames
from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.data.extraction.extracted_sequence import ExtractedSequence
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.data.samples.frame_spacing import segments
from monodepth_ros.stamps import AHEAD, REPEATED, SECOND, UNSTAMPED

COUNT = 30
RECORDED = 1_700_000_000 * SECOND
SIMULATED = [12 * SECOND + i * SECOND // 10 for i in range(COUNT)]
WALL = [RECORDED + i * SECOND // 10 for i in range(COUNT)]
TOPIC = "/front/image_raw"


def extracted(
    bag: Path, out: Path, request: ExtractionRequest | None = None
) -> tuple[ExtractedSequence, FolderSequence, list[str]]:
    with BagFile(bag) as opened:
        extraction = BagExtraction(opened, request or ExtractionRequest())
        done = list(extraction.extract(TOPIC, out))
    assert len(done) == COUNT
    return done[-1], FolderSequence(out), opened.problems


@pytest.mark.parametrize(
    "stamps, place, reason",
    [
        (SIMULATED, 5, UNSTAMPED),
        (SIMULATED, 0, UNSTAMPED),
        (WALL, 5, AHEAD),
        (WALL, 0, AHEAD),
        (WALL, 5, REPEATED),
    ],
)
def test_an_outlier_costs_its_frame(
    stamps: list[int], place: int, reason: str, tmp_path: Path
) -> None:
    wrong = {UNSTAMPED: 0, AHEAD: WALL[place] + 3600 * SECOND, REPEATED: WALL[place - 1]}
    given = [wrong[reason] if i == place else stamp for i, stamp in enumerate(stamps)]
    done, sequence, _ = extracted(write_images(tmp_path / "bag", given), tmp_path / "out")
    assert done.left_out == {reason: 1} and len(sequence) == COUNT - 1
    expected = [stamp for i, stamp in enumerate(stamps) if i != place]
    assert [sequence.stamp_ns(i) for i in range(COUNT - 1)] == expected


@pytest.mark.parametrize("seconds, way", [(-100, "back"), (3600, "ahead")])
def test_a_clock_that_was_set_costs_nothing_and_parts_the_triplets(
    seconds: int, way: str, tmp_path: Path
) -> None:
    stamps = [stamp + (seconds * SECOND if i >= 10 else 0) for i, stamp in enumerate(WALL)]
    done, sequence, problems = extracted(write_images(tmp_path / "bag", stamps), tmp_path / "out")
    assert done.frames == COUNT and not done.left_out
    assert [f"{TOPIC}: the clock was set {way}" in problem for problem in problems] == [True]
    assert list(segments(sequence)) == [0] * 10 + [1] * 20


def test_a_driver_that_does_not_stamp(tmp_path: Path) -> None:
    bag = write_images(tmp_path / "bag", [0] * COUNT)
    done, sequence, problems = extracted(bag, tmp_path / "out")
    assert [sequence.stamp_ns(i) for i in range(COUNT)] == WALL and not done.left_out
    assert problems == [f"{TOPIC}: its driver does not stamp; the recorded times are used"]


def test_every_second_of_those_that_are_kept(tmp_path: Path) -> None:
    stamps = [0 if i == 2 else stamp for i, stamp in enumerate(SIMULATED)]
    bag = write_images(tmp_path / "bag", stamps)
    done, sequence, _ = extracted(bag, tmp_path / "out", ExtractionRequest(every=2))
    assert [sequence.stamp_ns(i) for i in (0, 1, 2)] == [SIMULATED[i] for i in (0, 3, 5)]
    assert done.left_out == {UNSTAMPED: 1, "between every n-th image": 14}


def test_truth_has_a_clock_of_its_own(tmp_path: Path) -> None:
    """One outlier of the odometry is left out of the poses, and counted."""
    messages = []
    for i in range(FRAMES):
        at = stamp_of(i)
        messages += [
            ("/odom", odometry(0 if i == 4 else at, 0.1 * i, 1.0), at),
            ("/front/image_raw", image(at, picture(i), "base_link"), at),
        ]
    path = write_messages(tmp_path / "bag", messages)
    with BagFile(path) as opened:
        extraction = BagExtraction(opened, ExtractionRequest(poses="/odom"))
        assert f"/odom: 1 left out: {UNSTAMPED}" in opened.problems
        for i in range(FRAMES):
            pose = extraction.truth.pose("base_link", stamp_of(i))
            assert not isinstance(pose, Unknown) and pose[0, 3] == pytest.approx(0.1 * i)


def write_truth(path: Path, back: int, topics: set[str]) -> Path:
    """Images with odometry and depth of their time; from the seventh on some are ``back`` ns."""
    messages = []
    for i in range(FRAMES):
        at = stamp_of(i)
        stamps = {t: at - (back if i >= 6 and t in topics else 0) for t in TRUTH}
        pose = odometry(stamps["/odom"], 0.1 * i, 1.0 + i)
        pose.child_frame_id = "camera_optical"
        messages += [
            ("/odom", pose, at),
            (TOPIC, image(stamps[TOPIC], picture(i)), at),
            ("/front/camera_info", camera_info(stamps[TOPIC]), at),
            (DEPTH, depth_image(stamps[DEPTH], 1 + 0.1 * i), at),
        ]
    return write_messages(path, messages)


DEPTH = "/front/depth/image"
TRUTH = ("/odom", TOPIC, DEPTH)


def truths(bag: Path) -> list[tuple[float | None, float | None, float | None]]:
    """Of each frame how far it is along x, its depth and its speed."""
    request = ExtractionRequest(poses="/odom", depth=DEPTH)
    with BagFile(bag) as opened:
        frames = list(BagFrames(opened, request).frames(TOPIC, Counter(), {}))
    return [
        (
            None if frame.pose is None else round(float(frame.pose[0, 3]), 6),
            None if frame.depth is None else round(float(np.nanmedian(frame.depth)), 3),
            frame.speed,
        )
        for frame in frames
        if frame is not None
    ]


@pytest.mark.parametrize("seconds", [0.5, 0.33, 100])
def test_truth_is_that_of_the_same_epoch(seconds: float, tmp_path: Path) -> None:
    """Times come twice here: what was true at the first must not be taken for the second."""
    bag = write_truth(tmp_path / "bag", int(seconds * SECOND), set(TRUTH))
    expected = [(round(0.1 * i, 6), round(1 + 0.1 * i, 3), 1.0 + i) for i in range(FRAMES)]
    assert truths(bag) == expected


@pytest.mark.parametrize("seconds", [0.5, 100])
def test_a_camera_whose_clock_alone_is_set_has_no_truth_any_more(
    seconds: float, tmp_path: Path
) -> None:
    bag = write_truth(tmp_path / "bag", int(seconds * SECOND), {TOPIC})
    found = truths(bag)
    assert found[:6] == [(round(0.1 * i, 6), round(1 + 0.1 * i, 3), 1.0 + i) for i in range(6)]
    assert found[6:] == [(None, None, None)] * (FRAMES - 6)
