import logging
import multiprocessing
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from corridor import walk, write_corridor
from recordings import CAMERA, HEIGHT, WIDTH, picture, save, write_folder
from torch.utils.data import DataLoader

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.data.samples import frame_cache
from monodepth_ros.data.samples.augmentation import Augmentation
from monodepth_ros.data.samples.frame_cache import cached_array
from monodepth_ros.data.samples.triplets import FrameDataset, TripletDataset
from monodepth_ros.data.sequence import StereoPartner
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_image, resize_nearest

SIZE = (24, 40)


def frames_of(dataset: TripletDataset) -> list[list[int]]:
    """(target, previous, next) of every sample, by comparing with the cached images."""
    found = []
    for i in range(len(dataset)):
        images = dataset[i]["images"].numpy()
        cached = dataset.sequences[0].images.array
        found.append([int(np.flatnonzero((cached == image).all((1, 2, 3)))[0]) for image in images])
    return found


def test_sample(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk")
    dataset = TripletDataset([sequence], SIZE, stride=2, depth=True, cache=tmp_path / "cache")
    assert len(dataset) == 4
    item = dataset[1]
    assert item["images"].shape == (3, 3, *SIZE) and item["images"].dtype == torch.uint8
    assert item["depth"].shape == (1, *SIZE) and item["depth"].dtype == torch.float32
    assert item["index"] == 1 and item["index"].dtype == torch.int64
    assert item["K"].dtype == torch.float32
    assert torch.equal(item["depth"], torch.full((1, *SIZE), 2.0))
    for image, frame in zip(item["images"], (3, 1, 5), strict=True):
        np.testing.assert_array_equal(
            image.permute(1, 2, 0).numpy(), resize_image(picture(frame), SIZE)
        )
    assert dataset.frame_name(1) == "walk/000003.png"
    assert "valid" not in item


def test_intrinsics_follow_the_size(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk", count=3)
    K = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")[0]["K"].double().numpy()
    point = np.array([0.3, -0.2, 2.0])
    u, v, z = CAMERA.K @ point
    ru, rv, rz = K @ point
    assert ru / rz == pytest.approx((u / z + 0.5) * SIZE[1] / WIDTH - 0.5, rel=1e-6)
    assert rv / rz == pytest.approx((v / z + 0.5) * SIZE[0] / HEIGHT - 0.5, rel=1e-6)


def test_depth_keeps_its_values_and_place(tmp_path: Path) -> None:
    checks = np.kron(np.array([[1.0, 2], [3, 4]], np.float32), np.ones((24, 32), np.float32))
    small = resize_nearest(checks, (2, 2))
    np.testing.assert_array_equal(small, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(resize_nearest(small, (48, 64)), checks)
    ramp = np.arange(64, dtype=np.float32)[None].repeat(2, 0)
    centres = resize_nearest(ramp, (2, 16))[0] + 0.5
    assert np.abs(centres - (np.arange(16) + 0.5) * 4).max() <= 0.5


def test_cache_is_built_once_and_again_when_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = write_folder(tmp_path / "walk")
    first = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")[0]["images"]
    with monkeypatch.context() as patch:
        patch.setattr(frame_cache, "_build", None)  # would fail if called
        again = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")[0]["images"]
    assert torch.equal(first, again)
    save(picture(99), tmp_path / "walk/images/000001.png")
    changed = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")[0]["images"]
    assert not torch.equal(first[0], changed[0]) and torch.equal(first[1:], changed[1:])


def test_another_depth_scale_is_cached_anew(tmp_path: Path) -> None:
    folder, cache = tmp_path / "walk", tmp_path / "cache"
    write_folder(folder)
    first = FrameDataset([FolderSequence(folder)], SIZE, cache=cache)[1]["depth"]
    record = folder / "sequence.yaml"
    record.write_text(record.read_text().replace("depth_scale: 1000.0", "depth_scale: 500.0"))
    then = FrameDataset([FolderSequence(folder)], SIZE, cache=cache)[1]["depth"]
    assert (first == 2.0).all() and (then == 4.0).all()


def test_truth_that_moves_to_another_frame_is_cached_anew(tmp_path: Path) -> None:
    folder, cache = tmp_path / "walk", tmp_path / "cache"
    write_folder(folder)
    table = folder / "frames.csv"
    rows = table.read_text().replace("depth/000001.png", "")
    table.write_text(rows)
    first = FrameDataset([FolderSequence(folder)], SIZE, cache=cache)
    assert first[1]["depth"].isnan().all() and (first[2]["depth"] == 2.0).all()
    moved = rows.replace("depth/000002.png", "").replace(
        "000001.png,", "000001.png,depth/000002.png"
    )
    table.write_text(moved)
    then = FrameDataset([FolderSequence(folder)], SIZE, cache=cache)
    assert (then[1]["depth"] == 2.0).all() and then[2]["depth"].isnan().all()


def _build_and_die(root: Path) -> None:
    def produce(index: int) -> np.ndarray:
        if index == 3:
            import os

            os._exit(9)
        return np.full(4, index, np.uint8)

    cached_array(root, "walk", "key", (6, 4), np.uint8, produce)


def test_killed_build_leaves_nothing_that_counts(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_build_and_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 9
    array = cached_array(
        tmp_path, "walk", "key", (6, 4), np.uint8, lambda i: np.full(4, i, np.uint8)
    ).array
    np.testing.assert_array_equal(array, np.arange(6)[:, None].repeat(4, 1))
    assert not list(tmp_path.glob("*.partial"))


def test_full_disk_is_told_before_it_happens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="TB|GB"):
        cached_array(tmp_path, "walk", "key", (10**9, 10**9), np.uint8, lambda i: np.zeros(1))


def test_one_corrupt_frame_in_many_is_skipped_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sequence = write_folder(tmp_path / "walk", count=120, depth=False)
    (tmp_path / "walk/images/000050.png").write_bytes(b"\x89PNG broken")
    with caplog.at_level(logging.WARNING):
        dataset = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")
    assert len(dataset) == 118 - 3
    assert len(dataset.skipped) == 1 and "000050.png" in dataset.skipped[0]
    assert "000050.png" in caplog.text
    assert 50 not in np.unique(dataset._samples[:, 1:])


def test_many_corrupt_frames_are_refused(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk", count=120, depth=True)
    (tmp_path / "walk/images/000050.png").unlink()
    (tmp_path / "walk/depth/000060.png").unlink()
    TripletDataset([sequence], SIZE, cache=tmp_path / "cache")  # truth is not asked for
    with pytest.raises(UserError, match="2 of 120 frames.*000050.png: the file is missing"):
        TripletDataset([sequence], SIZE, depth=True, cache=tmp_path / "cache")


def test_wrong_size_ends_the_build_and_leaves_nothing(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk")
    save(picture(3, 20, 10), tmp_path / "walk/images/000003.png")
    with pytest.raises(UserError, match="000003.png: the image is 20x10"):
        TripletDataset([sequence], SIZE, cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_triplets_stay_within_a_recording(tmp_path: Path) -> None:
    times = [0, 100, 200, 300, 1000, 1100, 1200, 1390, 1400, 1350]  # gap, jitter, step back
    sequence = write_folder(tmp_path / "walk", 10, [t * 10**6 for t in times])
    options = {"cache": tmp_path / "cache"}
    targets = [row[0] for row in frames_of(TripletDataset([sequence], SIZE, **options))]
    assert targets == [1, 2, 5, 6, 7]
    crossing = TripletDataset([sequence], SIZE, cross_gaps=True, **options)
    assert len(crossing) == 8


def test_missing_stamps_fall_back_to_frame_numbers(tmp_path: Path) -> None:
    stamps: list[int | None] = [0, None, *range(2, 10)]
    sequence = write_folder(tmp_path / "walk", 10, stamps)
    sequence.numbers = [0, 1, 2, 3, 4, 20, 21, 22, 23, 24]
    dataset = TripletDataset([sequence], SIZE, cache=tmp_path / "cache")
    assert [row[0] for row in frames_of(dataset)] == [1, 2, 3, 6, 7, 8]


def test_stride_by_motion_follows_the_speed(tmp_path: Path) -> None:
    """At 2 m and f/W = 0.94 a shift of 0.0152 of the width is 32.4 mm of travel."""
    steps = [0.01] * 12 + [0.05] * 8  # slow, then fast
    sequence = write_folder(tmp_path / "walk", 21, offsets=np.concatenate([[0], np.cumsum(steps)]))
    dataset = TripletDataset(
        [sequence], SIZE, stride="motion", motion=0.0152, cache=tmp_path / "cache"
    )
    chosen = {row[0]: row[1:] for row in frames_of(dataset)}
    assert chosen[5] == [1, 9]
    assert chosen[15] == [14, 16]
    assert chosen[11] == [7, 13]


def test_stride_by_motion_without_truth_uses_the_images(tmp_path: Path) -> None:
    """A picture that shifts by 1 px a frame and then by 4: neighbours at about the same shift."""
    sequence = write_folder(tmp_path / "walk", 17, depth=False)
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, 400, 3), dtype=np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.5), None, 0, 255, cv2.NORM_MINMAX)
    shifts = np.concatenate([[0], np.cumsum([1] * 10 + [4] * 6)])
    for i, shift in enumerate(shifts):
        save(wide[:, shift : shift + WIDTH], tmp_path / f"walk/images/{i:06d}.png")
    dataset = TripletDataset(
        [sequence], (HEIGHT, WIDTH), stride="motion", motion=3.5 / WIDTH, cache=tmp_path / "cache"
    )
    apart = {t: (shifts[n] - shifts[t]) for t, _, n in frames_of(dataset)}
    assert all(3 < shift <= 7 for shift in apart.values())
    assert len(apart) > 8


def test_standstill_can_be_dropped(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk", 9)
    for i in range(5, 9):
        save(picture(4), tmp_path / f"walk/images/{i:06d}.png")
    options = {"cache": tmp_path / "cache"}
    assert len(TripletDataset([sequence], SIZE, **options)) == 7
    moving = TripletDataset([sequence], SIZE, min_motion=0.01, **options)
    assert [row[0] for row in frames_of(moving)] == [1, 2, 3]


def test_distorted_cameras_are_rectified(tmp_path: Path) -> None:
    camera = PinholeCamera(WIDTH, HEIGHT, CAMERA.K, "plumb_bob", (-0.3, 0.08, 0.0002, 0.00002, 0.0))
    sequence = write_folder(tmp_path / "walk", 3, camera=camera)
    plain = write_folder(tmp_path / "plain", 3)
    size = (HEIGHT, WIDTH)
    dataset = TripletDataset([sequence, plain], size, depth=True, cache=tmp_path / "cache")
    item = dataset[0]
    expected = cv2.undistort(picture(1), camera.K, np.array(camera.D))
    image = item["images"][0].permute(1, 2, 0).numpy()
    assert np.abs(image.astype(int) - expected).max() <= 2
    np.testing.assert_allclose(item["K"], CAMERA.K, rtol=1e-6)
    assert "valid" not in item  # a barrel's image fills the rectified one
    assert item["depth"].isfinite().all()


def test_pixels_that_rectification_cannot_fill_are_invalid(tmp_path: Path) -> None:
    camera = PinholeCamera(WIDTH, HEIGHT, CAMERA.K, "equidistant", (0.5, 0.1, 0.0, 0.0))
    sequence = write_folder(tmp_path / "walk", 3, camera=camera)
    plain = write_folder(tmp_path / "plain", 3)
    size = (HEIGHT, WIDTH)
    item, other = TripletDataset([sequence, plain], size, depth=True, cache=tmp_path / "cache")
    assert other["valid"].all() and other["depth"].isfinite().all()
    valid = item["valid"][0].numpy()
    assert np.isnan(item["depth"][0].numpy()[~valid]).all()
    assert not valid[0, 0] and valid[HEIGHT // 2, WIDTH // 2]
    ray = np.linalg.inv(CAMERA.K) @ np.array([50.0, 20.0, 1.0])
    distorted = cv2.fisheye.projectPoints(
        ray.reshape(1, 1, 3), np.zeros(3), np.zeros(3), CAMERA.K, np.array(camera.D)
    )[0].ravel()
    inside = (0 <= distorted[0] <= WIDTH - 1) and (0 <= distorted[1] <= HEIGHT - 1)
    assert valid[20, 50] == inside
    assert np.isnan(item["depth"][0].numpy()[0, 0])


def test_recordings_without_truth_give_nan(tmp_path: Path) -> None:
    plain = write_folder(tmp_path / "plain", 3, depth=False)
    true = write_folder(tmp_path / "true", 3)
    dataset = TripletDataset([plain, true], SIZE, depth=True, cache=tmp_path / "cache")
    assert dataset[0]["depth"].isnan().all() and dataset[1]["depth"].isfinite().all()
    assert dataset[0]["depth"].shape == dataset[1]["depth"].shape
    assert not list((tmp_path / "cache").glob("plain-depth*"))


def test_single_frames(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk")
    dataset = FrameDataset([sequence], SIZE, cache=tmp_path / "cache")
    assert len(dataset) == 8
    assert dataset[7]["images"].shape == (1, 3, *SIZE)
    assert dataset[7]["depth"].shape == (1, *SIZE)


@pytest.mark.parametrize("stride", [0, -1, "often", 1.5])
def test_nonsense_is_refused(tmp_path: Path, stride: object) -> None:
    sequence = write_folder(tmp_path / "walk", 3)
    with pytest.raises(UserError, match="stride"):
        TripletDataset([sequence], SIZE, stride=stride, cache=tmp_path / "cache")  # type: ignore
    with pytest.raises(UserError, match="walk: 3 frames give no triplet"):
        TripletDataset([sequence], SIZE, stride=5, cache=tmp_path / "cache")
    with pytest.raises(UserError, match="no sequence"):
        TripletDataset([], SIZE)


def test_workers_read_the_cache_and_batches_augment(tmp_path: Path) -> None:
    sequence = write_folder(tmp_path / "walk")
    dataset = TripletDataset([sequence], SIZE, depth=True, cache=tmp_path / "cache")
    dataset[0]  # maps the file, which must not travel to the workers
    assert len(pickle.dumps(dataset)) < 8000
    loader = DataLoader(dataset, batch_size=3, num_workers=1)
    batch = Augmentation()(next(iter(loader)), torch.Generator().manual_seed(0))
    assert batch["jittered"].shape == (3, 3, 3, *SIZE)
    assert batch["depth"].shape == (3, 1, *SIZE)


def test_corrupt_frame_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(CorruptFrame("a.png", "torn")))
    assert str(error) == "a.png: torn"


def test_masks_and_a_second_camera_follow_the_augmentation(tmp_path: Path) -> None:
    """A point that both cameras see is seen by both after crop and flip."""
    masked = FolderSequence(write_corridor(tmp_path / "masked", frames=3, reflective=True))
    plain = FolderSequence(write_corridor(tmp_path / "plain", frames=3))
    beside = FolderSequence(write_corridor(tmp_path / "beside", frames=3, start=-0.5))
    T = np.linalg.inv(walk(0, -0.5)) @ walk(0)
    masked.open_partner = lambda: StereoPartner(beside, T)
    assert masked.has_masks and not plain.has_masks and plain.stereo is None
    cache = tmp_path / "cache"
    dataset = TripletDataset([masked, plain], (32, 64), cache=cache, masks=True, stereo=True)
    item, other = dataset[0], dataset[1]
    np.testing.assert_array_equal(item["reflective"][0].numpy(), masked.reflective(1))
    np.testing.assert_array_equal(item["stereo"][0].numpy().transpose(1, 2, 0), beside.image(1))
    assert not other["reflective"].any() and other["T_stereo_target"].isnan().all()

    batch = {name: value[None] for name, value in item.items()}
    changed = Augmentation(flip=1.0, jitter=0.0, crop=0.7)(batch, torch.Generator().manual_seed(3))
    mask, K = changed["reflective"][0, 0], changed["K"][0].double()
    assert 0 < mask.float().mean() < 0.6 and not torch.equal(mask, item["reflective"][0])
    # A point of the world, the edge of the pillar, through both cameras, before and after.
    point = torch.tensor([0.5, 0.0, 2.5, 1.0], dtype=torch.float64)
    T_target_world = torch.from_numpy(np.linalg.inv(walk(1)))
    in_target = T_target_world @ point
    in_stereo = item["T_stereo_target"][0].double() @ in_target
    mirrored = torch.tensor([-1.0, 1.0, 1.0, 1.0], dtype=torch.float64)
    seen = changed["T_stereo_target"][0, 0].double() @ (mirrored * in_target)
    torch.testing.assert_close(seen, mirrored * in_stereo, rtol=1e-6, atol=1e-6)
    assert changed["stereo"].dtype == torch.float32 and changed["stereo"].max() <= 1.0
    torch.testing.assert_close(changed["K_stereo"][0].double(), K)  # one lens, one crop
