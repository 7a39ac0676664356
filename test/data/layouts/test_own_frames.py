"""A person's own frames: plain images and videos, with K.txt, a calibration or a guess."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from recordings import HEIGHT, WIDTH, picture, save, write_folder

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

K = "60 0 31.5\n0 60 23.5\n0 0 1\n"
GUESS = CaptureSettings(field_of_view=90.0)


def write_images(folder: Path, count: int = 3, suffix: str = ".JPG") -> Path:
    for index in range(count):
        save(picture(index), folder / f"DSC_{index + 7}{suffix}")
    return folder


def write_video(path: Path, count: int = 12, rate: float = 20.0) -> Path:
    """Frame ``k`` is grey of 20 k."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (WIDTH, HEIGHT))
    for index in range(count):
        writer.write(np.full((HEIGHT, WIDTH, 3), 20 * index, np.uint8))
    writer.release()
    return path


def level(image: np.ndarray) -> int:
    return round(float(image.mean()) / 20)


def test_images_with_a_matrix_beside_them(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "my walk")
    (folder / "K.txt").write_text(K)
    (folder / "notes.txt").write_text("by hand")
    (folder / "._DSC_7.JPG").write_bytes(b"what macOS puts beside files")
    (sequence,) = open_sequence(folder)
    assert sequence.calibration == "measured" and sequence.camera.K[0, 0] == 60
    assert [sequence.number(index) for index in range(len(sequence))] == [7, 8, 9]
    assert len(open_sequence(f"{folder}@1:")[0]) == 2


@pytest.mark.parametrize("place", ["", "images"])
def test_without_intrinsics_one_line_says_what_to_do(tmp_path: Path, place: str) -> None:
    write_images(tmp_path / "walk" / place)
    with pytest.raises(UserError) as refused:
        open_sequence(tmp_path / "walk")
    line = str(refused.value)
    for named in (
        f"{tmp_path}/walk: no intrinsics",
        f"{tmp_path}/walk/K.txt",
        "64x48",
        "camera_calibration",
        "camera_info",
        "--camera FILE",
        "--field-of-view DEGREES",
    ):
        assert named in line
    assert "\n" not in line


def test_a_guess_is_marked_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sequence,) = open_sequence(f"{write_images(tmp_path / 'walk')}@1:", capture=GUESS)
    assert sequence.calibration == "guessed"
    np.testing.assert_allclose(sequence.camera.K, [[32, 0, 31.5], [0, 32, 23.5], [0, 0, 1]])
    assert "WARNING: walk@1::: its intrinsics are a guess" in capsys.readouterr().err


def test_what_is_not_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_images(tmp_path / "walk")
    (folder / "K.txt").write_text(K)
    (sequence,) = open_sequence(folder, capture=GUESS)
    assert sequence.calibration == "measured" and sequence.camera.K[0, 0] == 60
    assert "walk: has intrinsics of its own; --field-of-view is not" in capsys.readouterr().err
    write_folder(tmp_path / "stated", 2)
    camera = PinholeCamera.from_focal_length(WIDTH, HEIGHT, 70, 71, 30, 20)
    open_sequence(tmp_path / "stated", capture=CaptureSettings(camera=camera))
    assert "stated: has a camera of its own; --camera is not used" in capsys.readouterr().err


def test_a_calibration_that_the_user_names(tmp_path: Path) -> None:
    camera = PinholeCamera.from_focal_length(WIDTH, HEIGHT, 70, 71, 30, 20)
    folder = write_images(tmp_path / "walk")
    (sequence,) = open_sequence(folder, capture=CaptureSettings(camera=camera))
    assert sequence.camera is camera and sequence.calibration == "measured"
    other = PinholeCamera.from_focal_length(640, 480, 700, 710, 300, 200)
    with pytest.raises(UserError, match="--camera is of 640x480 images, but these are 64x48"):
        open_sequence(folder, capture=CaptureSettings(camera=other))


@pytest.mark.parametrize("degrees", [0.0, -60.0, 180.0, float("nan")])
def test_what_is_no_field_of_view(degrees: float) -> None:
    with pytest.raises(UserError, match="--field-of-view"):
        CaptureSettings(field_of_view=degrees)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_rate(rate: float) -> None:
    with pytest.raises(UserError, match="--fps"):
        CaptureSettings(fps=rate)


def test_exif_is_a_hint(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 26  # mm, of a 36x24 mm frame's diagonal
    (tmp_path / "walk").mkdir()
    Image.fromarray(picture(0, 640, 480)).save(tmp_path / "walk/a.jpg", exif=exif)
    with pytest.raises(UserError, match="EXIF of a.jpg says about 67 degrees, .* only a hint"):
        open_sequence(tmp_path / "walk")


def test_images_of_several_sizes_are_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "walk")
    save(picture(0, 20, 10), folder / "map.png")
    with pytest.raises(UserError, match=r"2 sizes: 3 are 64x48, but map.png is 20x10 \(1 others"):
        open_sequence(folder, capture=GUESS)


def test_damaged_images_do_not_hide_the_size(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "walk")
    (folder / "DSC_7.JPG").write_bytes(b"")
    (sequence,) = open_sequence(folder, capture=GUESS)
    assert sequence.camera.width == WIDTH and len(sequence) == 3


def test_images_and_a_video_are_not_mixed(tmp_path: Path) -> None:
    write_video(write_images(tmp_path / "walk") / "walk.AVI")
    with pytest.raises(UserError, match="holds images and walk.AVI: name the video itself"):
        open_sequence(tmp_path / "walk", capture=GUESS)
    assert len(open_sequence(tmp_path / "walk/walk.AVI", capture=GUESS)[0]) == 12


def test_single_images_are_no_recordings(tmp_path: Path) -> None:
    write_images(tmp_path)
    with pytest.raises(UserError, match="DSC_7.JPG: neither a bag nor a video; of images name the"):
        open_sequence(tmp_path / "DSC_7.JPG")


def test_pictures_beside_recordings_are_left_out_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "walk", 3)
    write_images(tmp_path / "pictures")
    save(picture(0), tmp_path / "map.png")
    assert [sequence.name for sequence in open_sequence(tmp_path)] == ["walk"]
    told = capsys.readouterr().err
    assert f"{tmp_path}/pictures" in told and f"recordings: {tmp_path}\n" in told


def test_a_folder_of_folders_of_images_and_of_videos(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_images(tmp_path / "rooms" / name)
        write_video(tmp_path / "films" / f"{name}.avi")
    (tmp_path / "films/K.txt").write_text(K)
    assert [s.name for s in open_sequence(tmp_path / "rooms", capture=GUESS)] == ["a", "b"]
    films = open_sequence(tmp_path / "films")
    assert [film.name for film in films] == ["a", "b"]
    assert all(film.camera.K[0, 0] == 60 and film.calibration == "measured" for film in films)


def test_rates_are_stated_and_never_made_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_images(tmp_path / "walk")
    (sequence,) = open_sequence(folder, capture=GUESS)
    with pytest.raises(UserError, match="walk: its frames have no stamps: .* --fps"):
        frame_times(sequence)
    stated = CaptureSettings(field_of_view=90.0, fps=4.0)
    (sequence,) = open_sequence(f"{folder}@::2", capture=stated)
    assert np.diff(frame_times(sequence)).tolist() == [500_000_000]  # every second of them
    write_folder(tmp_path / "stamped", 3)
    (sequence,) = open_sequence(tmp_path / "stamped", capture=stated)
    assert frame_times(sequence) == [0, 100_000_000, 200_000_000]
    assert "stamped: has stamps of its own; --fps is not used" in capsys.readouterr().err


def test_every_tenth_number_is_no_slower_rate(tmp_path: Path) -> None:
    for number in (0, 10, 20, 40):  # 30 is missing
        save(picture(number), tmp_path / f"walk/{number:03d}.png")
    stated = CaptureSettings(field_of_view=90.0, fps=4.0)
    (sequence,) = open_sequence(tmp_path / "walk", capture=stated)
    assert frame_times(sequence) == [0, 250_000_000, 500_000_000, 1_000_000_000]


def test_a_video_by_its_own_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_video(tmp_path / "my film.avi")
    (film,) = open_sequence(path, capture=GUESS)
    assert len(film) == 12 and film.frame_name(3) == "my film_000003"
    assert [film.stamp_ns(index) for index in (0, 1, 11)] == [0, 50_000_000, 550_000_000]
    assert "my film.avi: 12 frames, 20 frames a second" in capsys.readouterr().err
    (part,) = open_sequence(f"{path}@::4", capture=GUESS)
    assert median_step(frame_times(part)) == pytest.approx(0.2)
    (slow,) = open_sequence(path, capture=CaptureSettings(field_of_view=90.0, fps=5.0))
    assert slow.stamp_ns(1) == 200_000_000


def test_frames_of_a_video_in_any_order_and_from_threads(tmp_path: Path) -> None:
    (film,) = open_sequence(write_video(tmp_path / "film.avi"), capture=GUESS)
    order = [11, 0, 5, 5, 2, 10, 1]
    assert [level(film.image(index)) for index in order] == order
    found: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda index=index: found.update({index: level(film.image(index))}))
        for index in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {index: index for index in range(12)}
    with pytest.raises(IndexError):
        film.image(12)


def test_a_file_that_is_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match="film.mp4: not a video"):
        open_sequence(tmp_path / "film.mp4", capture=GUESS)


def test_a_matrix_of_images_held_the_other_way_is_refused(tmp_path: Path) -> None:
    for index in range(2):
        save(picture(index, 480, 640), tmp_path / f"walk/{index}.png")
    (tmp_path / "walk/K.txt").write_text("500 0 319.5\n0 500 239.5\n0 0 1\n")
    with pytest.raises(UserError, match=r"\(319.5, 239.5\) is that of images turned by 90"):
        open_sequence(tmp_path / "walk")


def test_a_matrix_of_another_size_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path / "walk")
    (tmp_path / "walk/K.txt").write_text("30 0 15.5\n0 30 11.5\n0 0 1\n")
    open_sequence(tmp_path / "walk")
    assert "WARNING" in (told := capsys.readouterr().err) and "of another size?" in told


def write_turned_video(path: Path) -> Path:
    """64x48 frames, bright at the left, that the metadata turn by 90 degrees, as a phone's do."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 20.0, (WIDTH, HEIGHT))
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:, : WIDTH // 4] = 255
    for _ in range(6):
        writer.write(frame)
    writer.release()
    one = struct.pack(">i", 1 << 16)
    zero, unit, minus = bytes(4), struct.pack(">i", 1 << 30), struct.pack(">i", -(1 << 16))
    upright = one + zero * 3 + one + zero * 3 + unit
    down = struct.pack(">i", HEIGHT << 16)
    turned = zero + one + zero + minus + zero * 2 + down + zero + unit
    content = path.read_bytes()
    track = content.index(b"tkhd")
    place = content.index(upright, track)
    path.write_bytes(content[:place] + turned + content[place + len(turned) :])
    return path


def test_a_video_held_upright_is_upright_and_its_matrix_is(tmp_path: Path) -> None:
    path = write_turned_video(tmp_path / "phone.mp4")
    (film,) = open_sequence(path, capture=GUESS)
    assert (film.camera.width, film.camera.height) == (HEIGHT, WIDTH)
    assert film.image(3).shape == (WIDTH, HEIGHT, 3) and film.camera.K[0, 0] == pytest.approx(24)
    assert film.image(0)[:8].mean() > 200 and film.image(0)[-24:].mean() < 50  # left became top
    (tmp_path / "K.txt").write_text("60 0 31.5\n0 60 23.5\n0 0 1\n")  # of the frames as stored
    with pytest.raises(UserError, match="images turned by 90 degrees, not of the 48x64 images"):
        open_sequence(path)
