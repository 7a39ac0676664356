"""What a user may name, and how pictures and videos are read."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.images.frame_source import find_inputs, frame_count, read_frames
from monodepth_ros.errors import UserError


def picture(height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "c.jpeg"):
        Image.fromarray(picture()).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "nested").mkdir()
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_folders_globs_and_files_each_once_in_order(folder):
    assert names(find_inputs([str(folder)])) == ["a.JPG", "b.png", "c.jpeg"]
    assert names(find_inputs([f"{folder}/*.*g"])) == ["b.png", "c.jpeg"]
    assert names(find_inputs([str(folder / "c.jpeg"), str(folder)])) == ["c.jpeg", "a.JPG", "b.png"]
    assert names(find_inputs([str(folder)], every=2)) == ["a.JPG", "c.jpeg"]


@pytest.mark.parametrize("missing", ["none.png", "*.bmp", "nested"])
def test_what_is_not_there_is_named(folder, missing):
    with pytest.raises(UserError, match=missing.replace("*", r"\*")):
        find_inputs([str(folder / missing)])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(tmp_path, orientation):
    image = Image.fromarray(picture())
    exif = image.getexif()
    exif[0x0112] = orientation
    path = tmp_path / "p.png"
    image.save(path, exif=exif)
    (name, rgb), *rest = read_frames(path)
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert (name, rest) == ("p", [])
    assert np.array_equal(rgb, expected)


def test_a_video_gives_every_nth_frame_as_rgb(tmp_path):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in range(7):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:, :, 2] = 30 * level  # red, in OpenCV's order
        writer.write(frame)
    writer.release()
    frames = list(read_frames(path, every=3))
    assert [name for name, _ in frames] == ["v_000000", "v_000003", "v_000006"]
    assert frame_count(path, 3) == 3
    for (_, rgb), level in zip(frames, (0, 3, 6), strict=True):
        assert rgb.shape == (48, 64, 3)
        assert abs(rgb[..., 0].mean() - 30 * level) < 4
        assert rgb[..., 2].mean() < 4


@pytest.mark.parametrize("name", ["broken.png", "broken.mp4"])
def test_damaged_files_are_corrupt_frames(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x89PNG not really")
    with pytest.raises(CorruptFrame, match=name):
        list(read_frames(tmp_path / name))
