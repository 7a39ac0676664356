from pathlib import Path

import numpy as np
import pytest
from recordings import picture, save
from scipy.io import savemat

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.triplets import FrameDataset, TripletDataset
from monodepth_ros.errors import UserError


def build_labeled(path: Path, count: int = 6) -> Path:
    h5py = pytest.importorskip("h5py", reason="h5py is optional")
    path.mkdir(parents=True)
    with h5py.File(path / "nyu_depth_v2_labeled.mat", "w") as file:
        images = [picture(i, 64, 48).transpose(2, 1, 0) for i in range(count)]
        file["images"] = np.stack(images)
        depths = np.stack([np.full((64, 48), 1.0 + i, np.float32) for i in range(count)])
        depths[:, 5, 3] = 0  # column 5, row 3
        file["depths"] = depths
    savemat(path / "splits.mat", {"trainNdxs": [[1], [2], [4]], "testNdxs": [[3], [5], [6]]})
    return path


def test_labelled_frames(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build_labeled(tmp_path / "nyu"))
    assert len(sequence) == 6 and sequence.has_depth
    np.testing.assert_array_equal(sequence.image(4), picture(4, 64, 48))
    depth = sequence.depth(4)
    assert depth.shape == (48, 64) and depth[0, 0] == 5.0 and np.isnan(depth[3, 5])
    np.testing.assert_allclose(sequence.camera.K[0, 0], 51.885790, rtol=1e-6)  # a tenth of 640


def test_official_splits(tmp_path: Path) -> None:
    path = build_labeled(tmp_path / "nyu")
    (test,) = open_sequence(f"{path}@test")
    assert [test.frame_name(i) for i in range(3)] == ["0003", "0005", "0006"]
    np.testing.assert_array_equal(test.image(1), picture(4, 64, 48))
    assert len(open_sequence(f"{path}@train")[0]) == 3
    with pytest.raises(UserError, match="'val' is not one of train, test"):
        open_sequence(f"{path}@val")
    (path / "splits.mat").unlink()
    with pytest.raises(UserError, match="splits.mat: the file is missing"):
        open_sequence(f"{path}@test")


def test_unrelated_frames_give_no_triplets(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build_labeled(tmp_path / "nyu"))
    assert len(FrameDataset([sequence], (24, 32), cache=tmp_path / "cache")) == 6
    with pytest.raises(UserError, match="no triplet"):
        TripletDataset([sequence], (24, 32), cache=tmp_path / "cache")


def test_damaged_file_is_named(tmp_path: Path) -> None:
    path = build_labeled(tmp_path / "nyu")
    (path / "nyu_depth_v2_labeled.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(UserError, match="nyu_depth_v2_labeled.mat: not an HDF5 file"):
        open_sequence(path)


@pytest.mark.parametrize(
    ("image", "depth"),
    [
        ("rgb_{:05d}.jpg", "sync_depth_{:05d}.png"),
        ("{:05d}_colors.png", "{:05d}_depth.png"),
    ],
)
def test_folders(tmp_path: Path, image: str, depth: str) -> None:
    path = tmp_path / "test/bathroom"
    for i in range(3):
        save(picture(i, 640, 480), path / image.format(45 + i))
        save(np.full((480, 640), 2500 + i, np.uint16), path / depth.format(45 + i))
    (sequence,) = open_sequence(tmp_path / "test")
    assert len(sequence) == 3 and sequence.name == "bathroom"
    assert np.abs(sequence.image(1).astype(int) - picture(1, 640, 480)).mean() < 4  # JPEG
    assert sequence.depth(2)[0, 0] == np.float32(2.502)
    assert sequence.camera.K[0, 0] == pytest.approx(518.8579)
    with pytest.raises(UserError, match="only nyu_depth_v2_labeled.mat has splits"):
        open_sequence(f"{path}@train")
