"""NYU Depth v2 in its three common forms.

* ``nyu_depth_v2_labeled.mat`` (MATLAB 7.3, read through h5py): 1449 unrelated frames; with the
  dataset's ``splits.mat`` beside it, ``@train`` and ``@test`` take the official 795 and 654.
* folders of ``rgb_00045.jpg`` with ``sync_depth_00045.png`` (uint16 millimetres), one a scene
* folders of ``00045_colors.png`` with ``00045_depth.png`` (uint16 millimetres)

Silberman et al., ECCV 2012. The camera is the one of the dataset's toolbox, without distortion.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame, DepthImage, RgbImage, read_depth_png
from monodepth_ros.data.layouts.file_sequence import FileSequence, first_readable_size
from monodepth_ros.data.layouts.image_folder import frame_numbers, list_images
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

LABELED = "nyu_depth_v2_labeled.mat"
# Colour pattern, and the depth file's name for an image's stem.
FOLDERS = {
    "rgb_*": lambda stem: f"sync_depth_{stem.removeprefix('rgb_')}.png",
    "*_colors.*": lambda stem: f"{stem.removesuffix('_colors')}_depth.png",
}
INTRINSICS = (518.85790117450188, 519.46961112127485, 325.58244941119034, 253.73616633400465)
SIZE = (480, 640)


def toolbox_camera(height: int, width: int) -> PinholeCamera:
    """The toolbox's colour camera at the size of the images, which some copies shrink."""
    full = PinholeCamera.from_focal_length(SIZE[1], SIZE[0], *INTRINSICS)
    return full.resized(height, width)


def is_nyu(path: Path) -> bool:
    """Whether ``path`` has one of the three forms."""
    return (path / LABELED).is_file() or _folder_pattern(path) is not None


def open_nyu(path: Path, split: str | None = None) -> Sequence:
    """The one sequence in the folder; ``split`` is ``train`` or ``test`` of the labelled frames."""
    if (path / LABELED).is_file():
        frames = _read_split(path / "splits.mat", split) if split else None
        return LabeledSequence(path / LABELED, frames)
    if split:
        raise UserError(f"{path}: only {LABELED} has splits")
    return _open_folder(path)


def _folder_pattern(path: Path) -> str | None:
    return next((p for p in FOLDERS if next(path.glob(p), None) is not None), None)


def _open_folder(path: Path) -> FileSequence:
    pattern = _folder_pattern(path)
    assert pattern is not None
    depth_name = FOLDERS[pattern]
    image_files = list_images(path, pattern)
    depth_files = [path / depth_name(file.stem) for file in image_files]
    return FileSequence(
        name=path.resolve().name,
        camera=toolbox_camera(*first_readable_size(image_files)),
        image_files=image_files,
        depth_files=list(depth_files) if any(f.exists() for f in depth_files) else None,
        read_depth=lambda file: read_depth_png(file, depth_scale=1000.0),
        numbers=frame_numbers(image_files),
    )


class LabeledSequence(Sequence):
    """The labelled frames. They are single pictures of many rooms, not a video."""

    def __init__(self, path: Path, frames: list[int] | None = None) -> None:
        self._path = path
        with _open_hdf5(path) as file:
            for name in ("images", "depths"):
                if name not in file:
                    raise UserError(f"{path}: no {name!r}; is this {LABELED}?")
            # MATLAB stores by columns: N x channels x width x height.
            count, _, width, height = file["images"].shape
        self._frames = list(range(count)) if frames is None else frames
        if self._frames and max(self._frames) >= count:
            raise UserError(f"{path}: {count} frames, but the split asks for {max(self._frames)}")
        self.name = path.stem
        self.camera = toolbox_camera(height, width)

    def __len__(self) -> int:
        return len(self._frames)

    def image(self, index: int) -> RgbImage:
        """Uint8 HxWx3."""
        return np.ascontiguousarray(self._read("images", index).transpose(2, 1, 0))

    def depth(self, index: int) -> DepthImage | None:
        """The in-painted depth that the benchmark evaluates on, in metres."""
        depth = np.ascontiguousarray(self._read("depths", index).T).astype(np.float32)
        depth[~(depth > 0)] = np.nan
        return depth

    def _read(self, name: str, index: int) -> NDArray[Any]:
        # Opened for each frame, as HDF5 files do not survive a fork.
        try:
            with _open_hdf5(self._path) as file:
                return np.asarray(file[name][self._frames[index]])
        except OSError as error:
            raise CorruptFrame(self._path, f"{name} {self._frames[index]}: {error}") from error

    def frame_name(self, index: int) -> str:
        """The frame's number in the dataset, counted from 1 as MATLAB does."""
        return f"{self._frames[index] + 1:04d}"

    def files(self) -> Iterable[Path]:
        """The one file."""
        return [self._path]

    @property
    def has_depth(self) -> bool:
        """Every frame has depth."""
        return True

    @property
    def is_video(self) -> bool:
        """No frame is the neighbour of another."""
        return False


def _open_hdf5(path: Path) -> Any:
    try:
        h5py = import_module("h5py")  # optional, and without types
    except ImportError:
        raise UserError(f"{path}: reading it needs h5py; pip install h5py") from None
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path}: not an HDF5 file ({error})") from error


def _read_split(path: Path, split: str) -> list[int]:
    from scipy.io import loadmat

    key = {"train": "trainNdxs", "test": "testNdxs"}.get(split)
    if key is None:
        raise UserError(f"{path}: the split {split!r} is not one of train, test")
    if not path.is_file():
        raise UserError(f"{path}: the file is missing; the split needs it")
    return [int(index) - 1 for index in loadmat(path)[key].ravel()]
