import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recordings import HEIGHT, WIDTH, picture, save, sliding_poses

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.layouts.image_folder import list_images
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError

K = "60 0 31.5\n0 60 23.5\n0 0 1\n"


def build(path: Path, count: int = 3) -> Path:
    for i in range(count):
        save(picture(i), path / f"images/{i + 8}.png")
        truth = np.full((HEIGHT, WIDTH), 1500, np.uint16)
        truth[0, 0] = 0
        save(truth, path / f"depth/{i + 8}.png")
    (path / "K.txt").write_text(K)
    rows = [pose.ravel() for pose in sliding_poses(range(count))]
    np.savetxt(path / "poses.txt", rows)
    return path


def test_layout(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build(tmp_path / "office"))
    assert [sequence.number(i) for i in range(3)] == [8, 9, 10]  # not in the order of text
    np.testing.assert_array_equal(sequence.image(2), picture(2))
    assert np.isnan(sequence.depth(1)[0, 0]) and sequence.depth(1)[1, 1] == 1.5
    assert sequence.pose(2)[0, 3] == 2.0
    assert (sequence.camera.width, sequence.camera.height) == (WIDTH, HEIGHT)


def test_grey_16_bit_and_palette_images_become_rgb(tmp_path: Path) -> None:
    path = build(tmp_path / "office")
    grey = picture(5)[:, :, 0]
    save(grey, path / "images/8.png")
    save(grey.astype(np.uint16) * 257, path / "images/9.png")
    (sequence,) = open_sequence(path)
    for i in range(2):
        np.testing.assert_array_equal(sequence.image(i), np.repeat(grey[:, :, None], 3, 2))


def test_images_of_a_sensor_with_twelve_bits_have_one_scale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dark first image does not set the scale of the recording, nor a scale of its own."""
    path = build(tmp_path / "office")
    grey = picture(5)[:, :, 0]
    grey[0, 0] = 255
    for name, wide in (("8", grey // 16), ("9", grey.astype(np.uint16) * 16), ("10", grey)):
        save(wide.astype(np.uint16), path / f"images/{name}.png")
    (sequence,) = open_sequence(path)
    np.testing.assert_array_equal(sequence.image(1)[..., 0], grey)
    np.testing.assert_array_equal(sequence.image(0)[..., 0], grey // 16 >> 4)
    np.testing.assert_array_equal(sequence.image(2)[..., 0], grey >> 4)
    assert capsys.readouterr().err.count("office: 12 of 16 bits are in use") == 1


def test_sixteen_bit_colours_keep_all_their_bits(tmp_path: Path) -> None:
    path = build(tmp_path / "office")
    colours = picture(5)
    colours[0, 0] = 255
    for number in (8, 9, 10):
        wide = colours[:, :, ::-1].astype(np.uint16) << 2
        (path / f"images/{number}.png").write_bytes(cv2.imencode(".png", wide)[1].tobytes())
    (sequence,) = open_sequence(path)
    np.testing.assert_array_equal(sequence.image(1), colours)


def test_a_recordings_photographs_are_upright(tmp_path: Path) -> None:
    """As phones write them: turned by EXIF, and so is their size."""
    path = tmp_path / "phone"
    upright = picture(5)
    exif = Image.Exif()
    exif[0x0112] = 6
    (path / "images").mkdir(parents=True)
    for number in range(3):
        turned = Image.fromarray(np.rot90(upright))
        turned.save(path / f"images/{number}.png", exif=exif)
    (path / "K.txt").write_text(K)
    (sequence,) = open_sequence(path)
    assert (sequence.camera.width, sequence.camera.height) == (WIDTH, HEIGHT)
    np.testing.assert_array_equal(sequence.image(1), upright)


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = build(tmp_path / "office", count=1)
    image = path / "images/8.png"
    image.rename(os.fsdecode(os.fsencode(path / "images") + b"/caf\xe9_8.png"))
    (path / "poses.txt").unlink()
    (sequence,) = open_sequence(path)
    np.testing.assert_array_equal(sequence.image(0), picture(0))
    assert sequence.frame_name(0) == "caf\\udce9_8.png"
    with pytest.raises(CorruptFrame, match=r"caf\\udce9_8.png: the file is missing"):
        sequence.depth(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 31.5 0 60 23.5 0 0 1", "focal lengths"),
        ("60 0 99 0 60 23.5 0 0 1", "principal point"),
        ("60 0 nan 0 60 23.5 0 0 1", "finite"),
        ("60 0 31.5", "3 numbers, expected 3 x 3"),
        ("focal 60", "could not convert"),
        ("", "no numbers"),
    ],
)
def test_a_K_that_is_no_camera_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (build(tmp_path / "office") / "K.txt").write_text(text)
    with pytest.raises(UserError, match=f"K.txt.*{message}"):
        open_sequence(tmp_path / "office")


def test_missing_truth_and_wrong_sizes_are_named(tmp_path: Path) -> None:
    path = build(tmp_path / "office")
    (path / "depth/8.png").unlink()
    save(np.ones((4, 4), np.uint16), path / "depth/9.png")
    save(picture(0, 20, 20), path / "images/10.png")
    (sequence,) = open_sequence(path)
    with pytest.raises(CorruptFrame, match="depth/8.png: the file is missing"):
        sequence.depth(0)
    with pytest.raises(UserError, match="depth/9.png: the depth truth is 4x4"):
        sequence.depth(1)
    with pytest.raises(UserError, match="images/10.png: the image is 20x20"):
        sequence.image(2)


def test_depth_that_is_no_depth_is_named(tmp_path: Path) -> None:
    path = build(tmp_path / "office")
    save(picture(0), path / "depth/8.png")
    (sequence,) = open_sequence(path)
    with pytest.raises(CorruptFrame, match="depth/8.png.*not a depth image"):
        sequence.depth(0)


def test_empty_and_incomplete_folders_are_named(tmp_path: Path) -> None:
    path = build(tmp_path / "office")
    (path / "poses.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n")
    with pytest.raises(UserError, match="poses.txt: 1 poses for 3 images"):
        open_sequence(path)
    (path / "poses.txt").unlink()
    for image in list_images(path / "images"):
        image.write_bytes(b"")
    with pytest.raises(UserError, match="no readable image among 3"):
        open_sequence(path)
    for image in list_images(path / "images"):
        image.unlink()
    with pytest.raises(UserError, match="images: no image"):
        open_sequence(path)
