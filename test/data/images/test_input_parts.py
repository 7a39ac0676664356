"""Images and videos in parts: every frame once, in order, under a name of its own."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from monodepth_ros.data.cameras.input_camera import InputCamera
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.images.input_parts import InputFrame, decoded, parts_of


def write_image(path: Path, level: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), level, np.uint8)).save(path)
    return path


def write_video(path: Path, frames: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(frames):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:, :, 2] = 5 * level  # red, in OpenCV's order
        writer.write(frame)
    writer.release()
    return path


def read(parts, every=1):
    """The names of each part's frames, or the reason."""
    found, part = [], []
    for frame in decoded(parts, every, {}, InputCamera()):
        if frame is None:
            found.append(part)
            part = []
        else:
            part.append(frame.name if isinstance(frame, InputFrame) else frame.reason)
    assert not part
    return found


def test_images_come_in_parts_of_sixteen_in_their_order(tmp_path):
    files = [write_image(tmp_path / f"{k:02d}.png", k) for k in range(20)]
    files.insert(5, tmp_path / "missing.png")
    parts = parts_of(files)
    assert [len(part.files) for part in parts] == [16, 5]
    first, second = read(parts)
    assert first[:7] == ["00", "01", "02", "03", "04", "the file is missing", "05"]
    assert second == ["15", "16", "17", "18", "19"]
    frames = [f for f in decoded(parts, 1, {}, InputCamera()) if isinstance(f, InputFrame)]
    assert [int(frame.rgb[0, 0, 0]) for frame in frames] == list(range(20))


def test_a_video_gives_every_nth_frame_whichever_parts_are_read(tmp_path):
    parts = parts_of([write_video(tmp_path / "v.avi", 40)], every=2)
    assert [part.expected for part in parts] == [16, 1]
    whole = [[f"v_{k:06d}" for k in range(0, 32, 2)], [f"v_{k:06d}" for k in (32, 34, 36, 38)]]
    assert read(parts, 2) == whole
    assert [read([part], 2) for part in parts] == [[part] for part in whole]
    (last,) = (f for f in decoded(parts[1:], 2, {}, InputCamera()) if f and f.name == "v_000038")
    assert last.rgb.shape == (48, 64, 3)
    assert abs(last.rgb[..., 0].mean() - 190) < 4
    assert last.rgb[..., 2].mean() < 4


def test_parts_of_a_video_without_frames_are_empty(tmp_path):
    (part,) = parts_of([write_video(tmp_path / "v.avi", 3)])
    beyond = [type(part)(part.files, part.suffixes, frames) for frames in (range(3), range(3, 9))]
    assert read(beyond) == [["v_000000", "v_000001", "v_000002"], []]
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"none")
    assert read(parts_of([broken])) == [["not a readable video"]]


def test_a_video_of_another_camera_ends_at_its_first_frame(tmp_path):
    parts = parts_of([write_video(tmp_path / "v.avi", 20)])
    frames = list(decoded(parts, 1, {}, _Refusing()))
    assert [str(frame) for frame in frames] == ["v: no", "None", "None"]


class _Refusing(InputCamera):
    def seen(self, rgb, source):
        raise CorruptFrame("v", "no")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["a/left.png", "b/left.png", "c/left.jpg"], ["left", "left-2", "left-3"]),
        (["left-2.png", "a/left.png", "b/left.png"], ["left-2", "left", "left-3"]),
        (["v.avi", "b/v.avi"], ["v_000000", "v_000000-2"]),
        (["v.avi", "v_000000.png"], ["v_000000", "v_000000-2"]),
        (["v_000000.png", "v.avi", "v_000001.png"], ["v_000000", "v_000000-2", "v_000001"]),
        (["v_000001.png", "v_000002.png"], ["v_000001", "v_000002"]),
    ],
)
def test_equal_names_are_told_apart(tmp_path, files, expected):
    written = [
        write_video(tmp_path / file, 1) if file.endswith("avi") else write_image(tmp_path / file)
        for file in files
    ]
    assert [name for part in read(parts_of(written)) for name in part] == expected


def test_a_part_is_another_when_a_file_or_a_name_is_another(tmp_path):
    one, other = write_image(tmp_path / "a" / "1.png"), write_image(tmp_path / "b" / "1.png")
    states = [
        part.state({}) for files in ([one], [other], [other, one]) for part in parts_of(files)
    ]
    assert len({str(state) for state in states}) == 3
    before = parts_of([one])[0].state({})
    write_image(one, 200)
    assert parts_of([one])[0].state({}) != before
