"""What a tuning learns from: recordings wherever they are, bags extracted, known scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_messages import HEIGHT, SECOND, TYPES, WIDTH, camera_info, image, write_camera

from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.tuning.recordings import known_scenes, learnable_recordings
from monodepth_ros.progress import plain_console
from monodepth_ros.share_directory import share_directory


def test_bags_become_sequences_and_all_else_stays(tmp_path: Path) -> None:
    first = write_camera(tmp_path / "bags" / "first", range(6))
    write_camera(tmp_path / "bags" / "second", range(6))
    request = ExtractionRequest(image_format="jpg")
    out = tmp_path / "out"
    found = learnable_recordings(
        [str(tmp_path / "bags"), "recording@3:9"], out, request, [], plain_console()
    )
    assert found == [
        f"{out}/000_first/image_raw", f"{out}/001_second/image_raw", "recording@3:9",
    ]  # fmt: skip
    assert FolderSequence(found[0]).image(0).shape == (HEIGHT, WIDTH, 3)
    table = Path(found[0]) / "frames.csv"
    written = table.stat().st_mtime_ns
    (sliced,) = learnable_recordings([f"{first}@1:4"], out, request, [], plain_console())
    assert len(open_sequence(sliced)[0]) == 3 and table.stat().st_mtime_ns == written


def test_a_bag_without_a_usable_image_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_camera(tmp_path / "good", range(6))
    with BagWriter(tmp_path / "odd") as bag:
        message = image(SECOND, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        message.encoding = "unheard_of"
        for topic, kind, content in (
            ("/camera_info", "sensor_msgs/msg/CameraInfo", camera_info(SECOND)),
            ("/image_raw", "sensor_msgs/msg/Image", message),
        ):
            bag.write(topic, kind, SECOND, bytes(TYPES.serialize_cdr(content, kind)))
    bags = [str(tmp_path / name) for name in ("odd", "good")]
    unusable: list[str] = []
    found = learnable_recordings(
        bags, tmp_path / "out", ExtractionRequest(), unusable, plain_console()
    )
    assert found == [str(tmp_path / "out" / "001_good" / "image_raw")]
    (line,) = unusable  # goes into the verdict
    assert line.startswith(f"{tmp_path / 'odd'}: holds no camera's images")
    told = capsys.readouterr().err.replace("\n", "")
    assert "/image_raw: encoding 'unheard_of' is not known" in told and "left out: " in told
    with pytest.raises(UserError, match="odd: holds no camera.s images"):
        learnable_recordings(bags[:1], tmp_path / "out", ExtractionRequest(), [], plain_console())


def test_known_scenes_come_with_the_package(tmp_path: Path) -> None:
    replay, check = known_scenes(None)
    assert Path(replay[0]).is_relative_to(share_directory())
    places = [sequence for part in (*replay, *check) for sequence in open_sequence(part)]
    assert len(places) == 6 and all(sequence.has_depth for sequence in places)
    assert sum(len(sequence) for sequence in places) == 98
    assert known_scenes("none") == ([], [])
    (tmp_path / "replay").mkdir()
    with pytest.raises(UserError, match="no check/"):
        known_scenes(str(tmp_path))
