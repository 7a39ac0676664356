"""Images stored smaller, and left out at standstill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_messages import TYPES, depth_image, image, odometry, picture, stamp_of
from rosbags.highlevel import AnyReader

from monodepth_ros.data.bags.messages.image import decode_compressed
from monodepth_ros.data.bags.recording.images import COMPRESSED, ImageRecoding, StandstillFilter
from monodepth_ros.data.bags.recording.recorder import BagRecorder, Recorded, RecorderSettings


def recorded(topic: str, message: object, stamp: int) -> Recorded:
    kind = message.__msgtype__  # type: ignore[attr-defined]
    return Recorded(topic, kind, stamp, bytes(TYPES.serialize_cdr(message, kind)))


def frame(number: int, shown: int) -> Recorded:
    return recorded("/image_raw", image(stamp_of(number), picture(shown)), stamp_of(number))


@pytest.mark.parametrize(("kind", "tolerance"), [("png", 0), ("jpeg", 12)])
def test_camera_images_are_compressed_and_depth_is_not(kind: str, tolerance: int) -> None:
    recode = ImageRecoding(kind, 95)  # type: ignore[arg-type]
    stored = recode(frame(3, 3))
    assert (stored.topic, stored.kind) == ("/image_raw/compressed", COMPRESSED)
    content = TYPES.deserialize_cdr(stored.data, COMPRESSED)
    difference = decode_compressed(content).astype(int) - picture(3)
    assert np.abs(difference).mean() <= tolerance
    assert content.header.frame_id == "camera_optical"
    depth = recorded("/depth", depth_image(0, 2.0), 0)
    odom = recorded("/odom", odometry(0, 0.0, 0.0), 0)
    assert recode(depth) == depth and recode(odom) == odom


@pytest.mark.parametrize("encoding", ["mono16", "bayer_rggb16", "16UC1"])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_sixteen_bits_are_stored_as_they_came(kind: str, encoding: str) -> None:
    """Depth in millimetres under mono16, and a camera of 14 bits."""
    wide = depth_image(0, 2.345)
    wide.encoding = encoding
    message = recorded("/depth/image_raw", wide, 0)
    assert ImageRecoding(kind)(message) == message  # type: ignore[arg-type]


def test_motion_of_a_camera_with_ten_bits_is_seen() -> None:
    moving = StandstillFilter("/image_raw", threshold_px=0.5, max_interval=100.0)

    def of_ten_bits(number: int, shown: int) -> Recorded:
        wide = image(stamp_of(number), picture(shown))
        grey = picture(shown)[:, :, 0].astype("<u2") * 4
        wide.encoding, wide.step = "mono16", 2 * wide.width
        wide.data = grey.view(np.uint8).reshape(-1)
        return recorded("/image_raw", wide, stamp_of(number))

    assert moving(of_ten_bits(0, 0)) and moving(of_ten_bits(1, 3))
    assert not moving(of_ten_bits(2, 3))


def test_what_cannot_be_decoded_is_stored_as_it_came_and_counted(tmp_path: Path) -> None:
    strange, short = image(0, picture(0)), image(0, picture(0))
    strange.encoding = "16SC4"
    short.height = 1000
    messages = [recorded("/strange", strange, 0), recorded("/short", short, 1)]
    recording = BagRecorder(
        RecorderSettings(tmp_path, min_free_disk_mb=0.0), stored=ImageRecoding("jpeg")
    )
    recording.start()
    for message in messages:
        recording.offer(message)
    (bag,) = recording.stop()
    recording.close()
    with AnyReader([bag]) as reader:
        found = [(c.topic, stamp, bytes(data)) for c, stamp, data in reader.messages()]
    assert found == [(m.topic, m.stamp, m.data) for m in messages]
    ((topic, failure),) = recording.metrics().stored_unchanged.items()
    assert topic == "/short" and failure.messages == 1 and "bytes" in failure.reason


def test_standing_still_leaves_out_images_and_what_belongs_to_them() -> None:
    moving = StandstillFilter("/image_raw", threshold_px=0.5, max_interval=1.0)
    shown = [0, 1, 2, 2, 2, 2, 3] + [3] * 12
    kept = []
    for number, picture_number in enumerate(shown):
        kept.append(moving(frame(number, picture_number)))
        depth = recorded("/depth", depth_image(stamp_of(number), 1.0), stamp_of(number))
        assert moving(depth) == kept[-1]
        assert moving(recorded("/odom", odometry(stamp_of(number), 0.0, 0.0), stamp_of(number)))
    assert kept[:7] == [True, True, True, False, False, False, True]
    assert sum(kept[7:]) == 1  # one a second at 10 Hz, all the same
    assert moving.skipped == 2 * kept.count(False)


def test_another_exposure_is_no_motion() -> None:
    moving = StandstillFilter("/image_raw", threshold_px=0.5, max_interval=100.0)
    assert moving(frame(0, 5))
    darker = image(stamp_of(1), (picture(5) * 0.7).astype(np.uint8))
    assert not moving(recorded("/image_raw", darker, stamp_of(1)))


def test_an_image_that_cannot_be_decoded_is_recorded() -> None:
    strange = image(0, picture(0))
    strange.encoding = "16SC4"
    assert StandstillFilter("/image_raw", 0.5)(recorded("/image_raw", strange, 0))
