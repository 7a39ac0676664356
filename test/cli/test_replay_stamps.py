"""Replays of bags whose clocks or bytes go wrong: no crash, and every image is accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bag_messages import SECOND, write_drive, write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.trajectory import read_trajectory
from monodepth_ros.inference.motion_estimator import MotionEstimator
from monodepth_ros.inference.tracker_settings import TrackerSettings
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.run import ReplayRun
from monodepth_ros.replay.source import open_source
from monodepth_ros.stamps import AHEAD, UNSTAMPED

COUNT = 12
RECORDED = 1_700_000_000 * SECOND
WALL = [RECORDED + i * SECOND // 10 for i in range(COUNT)]
HOUR = 3600 * SECOND
TOPIC = "/front/image_raw"


def replayed(bag: Path, out: Path, *options: str) -> tuple[dict[str, float], str]:
    result = CliRunner().invoke(
        app, ["replay", str(bag), "--out", str(out), "--device", "cpu", *options]
    )
    assert result.exit_code == 0, result.output
    return json.loads((out / "metrics.json").read_text()), (out / "report.html").read_text()


@pytest.mark.parametrize(
    "wrong, reason", [(0, UNSTAMPED), (WALL[4] + HOUR, AHEAD)], ids=["zero", "an hour ahead"]
)
def test_an_outlier_costs_its_frame_and_moves_nothing(
    wrong: int, reason: str, tmp_path: Path
) -> None:
    stamps = [wrong if i == 4 else stamp for i, stamp in enumerate(WALL)]
    figures, page = replayed(write_images(tmp_path / "bag", stamps), tmp_path / "out")
    assert figures["frames"] == COUNT - 1
    assert f"1 left out: {reason}" in page
    found = read_trajectory(tmp_path / "out/odometry.tum", "tum")
    np.testing.assert_allclose(found.keys, [s / SECOND for s in WALL if s != WALL[4]])


def test_a_clock_that_was_set_gives_a_trajectory_for_each_stretch(tmp_path: Path) -> None:
    stamps = [stamp - (HOUR if i >= 5 else 0) for i, stamp in enumerate(WALL)]
    figures, page = replayed(write_images(tmp_path / "bag", stamps), tmp_path / "out")
    assert figures["frames"] == COUNT and f"{TOPIC}: the clock was set back" in page
    first = read_trajectory(tmp_path / "out/odometry.tum", "tum")
    second = read_trajectory(tmp_path / "out/odometry_2.tum", "tum")
    assert (len(first), len(second)) == (5, COUNT - 5)
    np.testing.assert_allclose(second.poses[0], first.poses[-1])  # odometry does not jump
    rows = (tmp_path / "out/frames.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == [i / 10 for i in range(COUNT)]
    assert [row.split(",")[2] for row in rows].count("restart") == 1


def test_a_driver_that_does_not_stamp_is_replayed_by_the_recorded_times(tmp_path: Path) -> None:
    bag = write_images(tmp_path / "bag", [0] * COUNT)
    figures, page = replayed(bag, tmp_path / "out")
    assert figures["frames"] == COUNT and "does not stamp; the recorded times are used" in page
    assert len(read_trajectory(tmp_path / "out/odometry.tum", "tum")) == COUNT


class Replay:
    """All of a replay but its drawings."""

    def __init__(self, folder: Path) -> None:
        self._run = ReplayRun(
            MotionEstimator("demo", "cpu"), TrackerSettings(), folder, ReplayRecord()
        )
        self._run._rerun = None

    def __call__(self, bag: Path) -> ReplayRecord:
        record = self._run.record = ReplayRecord()
        self._run.tracker.reset()
        request = ExtractionRequest(images=(TOPIC,), poses="/odom", depth="/front/depth/image")
        with BagFile(bag) as file:
            images = [m for m in file.messages() if m.topic == TOPIC]
            if "/odom" not in file.topics:
                request = ExtractionRequest(images=(TOPIC,))
        with open_source(str(bag), request, CaptureSettings(), record) as source:
            for frame in source.frames:
                if frame is not None:
                    self._run.take(frame)
        assert len(record.frames) + record.left_out.total() == len(images)
        record.figures()
        for frame in record.frames:
            assert frame.pose is None or np.isfinite(frame.pose).all()
        return record


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return Replay(tmp_path_factory.mktemp("replay"))


WILD = st.one_of(
    st.integers(0, 2**31 - 1).map(lambda seconds: seconds * SECOND),
    st.integers(0, 8).map(lambda i: WALL[i]),
    st.sampled_from([0, 1, 2, (2**31 - 1) * SECOND]),
)


@settings(max_examples=25, deadline=None)
@given(stamps=st.lists(WILD, min_size=1, max_size=8))
def test_whatever_the_stamps_every_image_is_replayed_or_counted(
    replay: Replay, tmp_path_factory: pytest.TempPathFactory, stamps: list[int]
) -> None:
    record = replay(write_images(tmp_path_factory.mktemp("wild") / "bag", stamps))
    assert record.frames or record.left_out


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_the_bytes_every_image_that_is_read_is_replayed_or_counted(
    replay: Replay, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    (file,) = write_drive(folder / "drive", frames=5).glob("*.mcap")
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    (folder / "damaged.mcap").write_bytes(bytes(content))
    try:
        replay(folder / "damaged.mcap")
    except UserError as error:  # in one line
        assert "\n" not in str(error)
