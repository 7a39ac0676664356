"""What a user may name, and how pictures and videos are read."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from monodepth_ros.data.images.file import CorruptFrame, read_rgb
from monodepth_ros.data.images.frame_source import find_inputs
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
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    assert np.array_equal(read_rgb(path), expected)


def test_a_damaged_image_is_a_corrupt_frame(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(CorruptFrame, match="broken.png"):
        read_rgb(tmp_path / "broken.png")
