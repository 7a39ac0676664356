"""A sequence of which every image, depth map and mask is a file of its own."""
# ruff: noqa: D102 - documented where Sequence declares them

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from monodepth_ros.data.cameras.capture_settings import Calibration
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.file import (
    CorruptFrame,
    DepthImage,
    Mask,
    RgbImage,
    bits_of_files,
    image_size,
    read_mask,
    read_rgb,
)
from monodepth_ros.data.known_pose import Matrix, Poses
from monodepth_ros.data.sequence import Sequence, StereoPartner
from monodepth_ros.errors import UserError, printable
from monodepth_ros.geometry.camera import PinholeCamera


@dataclass(eq=False)
class FileSequence(Sequence):
    """A sequence given by lists of files and values, one entry for each frame.

    What a layout lacks stays None, for the whole sequence or for single frames. ``read_depth``
    turns a file of ``depth_files`` into float32 metres with NaN where there is no truth.
    """

    name: str
    camera: PinholeCamera
    image_files: list[Path]
    depth_files: list[Path | None] | None = None
    read_depth: Callable[[Path], DepthImage] | None = None
    reflective_files: list[Path | None] | None = None
    poses: Poses | None = None
    stamps_ns: list[int | None] | None = None
    speeds: list[float | None] | None = None
    numbers: list[int] | None = None
    target_frames: list[int] | None = None
    calibration: Calibration = "measured"
    number_rate: float | None = None
    open_partner: Callable[[], StereoPartner | None] | None = None

    def __len__(self) -> int:
        return len(self.image_files)

    def image(self, index: int) -> RgbImage:
        path = self.image_files[index]
        image = read_rgb(path, self._bits)
        self._check_size(image, path, "image")
        return image

    @cached_property
    def _bits(self) -> BitDepth:
        return bits_of_files(self.name, self.image_files)

    def depth(self, index: int) -> DepthImage | None:
        path = self.depth_files[index] if self.depth_files else None
        if path is None or self.read_depth is None:
            return None
        depth = self.read_depth(path)
        self._check_size(depth, path, "depth truth")
        return depth

    def reflective(self, index: int) -> Mask | None:
        path = self.reflective_files[index] if self.reflective_files else None
        if path is None:
            return None
        mask = read_mask(path)
        self._check_size(mask, path, "reflective mask")
        return mask

    def _check_size(self, array: RgbImage | DepthImage | Mask, path: Path, what: str) -> None:
        height, width = array.shape[:2]
        if (height, width) != (self.camera.height, self.camera.width):
            raise UserError(
                f"{path}: the {what} is {width}x{height}, but the camera of {self.name!r} is"
                f" {self.camera.width}x{self.camera.height}; give all files one size"
            )

    def frame_name(self, index: int) -> str:
        return printable(self.image_files[index].name)

    def files(self) -> Iterable[Path]:
        for index, image in enumerate(self.image_files):  # in turn: the order says which is whose
            yield image
            for truth in (self.depth_files, self.reflective_files):
                if truth and (file := truth[index]) is not None:
                    yield file

    def pose(self, index: int) -> Matrix | None:
        return self.poses[index] if self.poses else None

    def stamp_ns(self, index: int) -> int | None:
        return self.stamps_ns[index] if self.stamps_ns else None

    def number(self, index: int) -> int:
        return self.numbers[index] if self.numbers else index

    def speed(self, index: int) -> float | None:
        return self.speeds[index] if self.speeds else None

    @cached_property
    def stereo(self) -> StereoPartner | None:
        return None if self.open_partner is None else self.open_partner()

    @property
    def has_depth(self) -> bool:
        return any(path is not None for path in self.depth_files or [])

    @property
    def has_pose(self) -> bool:
        return any(pose is not None for pose in self.poses or [])

    @property
    def has_masks(self) -> bool:
        return any(path is not None for path in self.reflective_files or [])

    @property
    def states_poses(self) -> bool:
        return self.poses is not None

    @property
    def targets(self) -> Iterable[int]:
        return range(len(self)) if self.target_frames is None else self.target_frames


def stereo_partner(
    name: str,
    camera: PinholeCamera,
    image_files: list[Path],
    T_partner_camera: Matrix,
) -> StereoPartner | None:
    """The second camera of a layout, where each of its images is there."""
    if not all(file.is_file() for file in image_files):
        return None
    return StereoPartner(FileSequence(name, camera, image_files), T_partner_camera)


def first_readable_size(image_files: list[Path]) -> tuple[int, int]:
    """(height, width) of the first image that opens, for layouts that state no image size."""
    for path in image_files:
        try:
            return image_size(path)
        except CorruptFrame:
            continue
    where = image_files[0].parent if image_files else "an empty folder"
    raise UserError(f"{where}: no readable image among {len(image_files)} files")
