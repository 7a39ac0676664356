"""Focal lengths that do not fit the motion of the images are noticed; right ones are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.data.cameras import focal_check
from monodepth_ros.data.cameras.feature_tracks import TrackedPoints, tracks_from
from monodepth_ros.data.cameras.focal_check import FocalCheck, check_focal_length, focal_warnings
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.camera import PinholeCamera

CAMERA = PinholeCamera.from_focal_length(320, 240, 260.0, 260.0, 159.5, 119.5)
HALF = np.array([2.0, 1.5, 4.0])  # metres from the middle of a room to its walls


def render(rotation: np.ndarray, position: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """A room with a texture on its walls, uint8 HxWx3, by rays."""
    v, u = np.mgrid[0:240, 0:320].astype(np.float64)
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(CAMERA.K).T @ rotation.T
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (np.sign(rays) * HALF - position) / rays
    wall = np.argmin(np.where(reach > 0, reach, np.inf), -1)
    hit = position + rays * np.take_along_axis(reach, wall[..., None], -1)
    side = 2 * wall + (np.take_along_axis(rays, wall[..., None], -1)[..., 0] > 0)
    first = np.where(wall == 0, hit[..., 1], hit[..., 0])
    second = np.where(wall == 2, hit[..., 1], hit[..., 2])
    x, y = ((c * 60 + 97 * side).astype(np.float32) % 500 for c in (first, second))
    return cv2.remap(texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)


def film(path: Path, turning: bool, frames: int = 60) -> FolderSequence:
    """A camera that sways and turns through the room, or goes straight ahead."""
    rough = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    texture = cv2.resize(rough, (512, 512), interpolation=cv2.INTER_CUBIC)
    with SequenceWriter(path, CAMERA, 15.0, image_format="png") as writer:
        for k in range(frames):
            t = k / frames * 2 * np.pi
            yaw, pitch = (0.5 * np.sin(2 * t), 0.25 * np.sin(3 * t)) if turning else (0.0, 0.0)
            place = [0.8 * np.sin(t), 0.4 * np.sin(2 * t), 1.5 * np.cos(t)]
            position = np.array(place) if turning else np.array([0.0, 0.0, -3.0 + 0.15 * k])
            rotation = Rotation.from_euler("yx", [yaw, pitch]).as_matrix()
            writer.add(render(rotation, position, texture))
    return FolderSequence(path)


@pytest.fixture(autouse=True)
def few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(focal_check, "_PAIRS", 18)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> FolderSequence:
    return film(tmp_path_factory.mktemp("walk") / "walk", turning=True)


def seen_by(sequence: Sequence, scale: float) -> Sequence:
    """The recording with another focal length stated."""
    K = sequence.camera.K.copy()
    K[0, 0] *= scale
    K[1, 1] *= scale
    sequence.camera = replace(sequence.camera, K=K)
    return sequence


def checked(sequence: Sequence, scale: float) -> FocalCheck:
    was = sequence.camera
    check = check_focal_length([seen_by(sequence, scale)])
    sequence.camera = was
    assert check is not None
    return check


@pytest.mark.parametrize("scale", [0.75, 1.0, 1.25])
def test_a_turning_camera_tells_its_focal_length(walk: FolderSequence, scale: float) -> None:
    check = checked(walk, scale)
    assert check.scale * scale == pytest.approx(1.0, abs=0.05)
    assert check.low <= check.scale <= check.high
    assert check.is_off == (scale != 1.0)


def test_the_warning_says_what_would_fit(walk: FolderSequence) -> None:
    was = walk.camera
    assert focal_warnings([walk]) == []
    (line,) = focal_warnings([seen_by(walk, 0.75)])
    walk.camera = was
    assert line.startswith("walk: a focal length of 195 pixels does not fit the motion")
    told = float(line.partition("about ")[2].split()[0])
    assert told == pytest.approx(260, rel=0.05)


def test_straight_ahead_nothing_is_said(tmp_path: Path) -> None:
    drive = film(tmp_path / "drive", turning=False, frames=24)
    assert focal_warnings([seen_by(drive, 0.75)]) == []


def test_what_stands_still_tells_nothing(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "still", CAMERA, 15.0) as writer:
        for _ in range(5):
            writer.add(np.full((240, 320, 3), 90, np.uint8))
    assert check_focal_length([FolderSequence(tmp_path / "still")]) is None


@pytest.mark.parametrize(("scale", "off"), [(1.0, False), (0.75, True)])
def test_a_real_office(real_data: Path, scale: float, off: bool) -> None:
    (office,) = open_sequence(f"{real_data}/hololens_office@120:240")
    assert checked(office, scale).is_off == off


def test_degenerate_recordings_end_no_training(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    shapes = {"thin": (2, 600), "small": (8, 8), "noise": (240, 320), "black": (240, 320)}
    for name, (height, width) in shapes.items():
        focal = float(width)
        camera = PinholeCamera.from_focal_length(
            width, height, focal, focal, (width - 1) / 2, (height - 1) / 2
        )
        bright = 1 if name == "black" else 256
        with SequenceWriter(tmp_path / name, camera, 15.0, image_format="png") as writer:
            for _ in range(2):
                writer.add(random.integers(0, bright, (height, width, 3), dtype=np.uint8))
    recordings = [FolderSequence(tmp_path / name) for name in shapes]
    assert [check_focal_length([recording]) for recording in recordings] == [None] * 4
    assert focal_warnings(recordings) == []
    assert focal_warnings([]) == []


class Watched:
    """A recording that notes which frames were decoded, and cuts each ``cut`` rows shorter."""

    def __init__(self, sequence: Sequence, cut: int = 0) -> None:
        self.camera, self._sequence, self._cut = sequence.camera, sequence, cut
        self.decoded: list[int] = []

    def __len__(self) -> int:
        return len(self._sequence)

    def image(self, index: int) -> np.ndarray:
        self.decoded.append(index)
        return self._sequence.image(index)[: 240 - self._cut * index]


def test_an_image_of_another_size_ends_a_track(walk: FolderSequence) -> None:
    assert len(list(tracks_from(Watched(walk), [0, 20]))) == 2  # type: ignore[arg-type]
    assert list(tracks_from(Watched(walk, cut=1), [0, 20])) == []  # type: ignore[arg-type]


def test_each_frame_is_decoded_once_and_forward(walk: FolderSequence) -> None:
    watched = Watched(walk)
    list(tracks_from(watched, range(0, 59, 3)))  # type: ignore[arg-type]
    assert watched.decoded == sorted(set(watched.decoded))


def test_points_of_large_images_are_judged_as_those_of_small_ones(walk: FolderSequence) -> None:
    def profile(size: int) -> np.ndarray:
        camera = walk.camera.resized(240 * size, 320 * size)
        grown = TrackedPoints(*((pixels + 0.5) * size - 0.5 for pixels in tracked))
        found = focal_check._profile(*focal_check._in_small_image(grown, camera))
        assert found is not None
        return found

    (tracked,) = tracks_from(walk, [0])
    np.testing.assert_allclose(profile(12), profile(2), rtol=1e-3)
