"""Whatever the stamps or the bytes of a bag: no crash, and every image is accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_messages import SECOND, write_drive, write_images
from hypothesis import given, settings
from hypothesis import strategies as st

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.run import ReplayRun
from monodepth_ros.replay.source import open_source

WALL = [1_700_000_000 * SECOND + i * SECOND // 10 for i in range(12)]
TOPIC = "/front/image_raw"


class Replay:
    """All of a replay but its drawings."""

    def __init__(self, folder: Path) -> None:
        engine = load_engine("demo", device="cpu")
        self._run = ReplayRun(engine, TrackerSettings(), folder, ReplayRecord())
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
        record.metrics()
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
