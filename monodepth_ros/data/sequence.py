"""What every recording looks like to training and evaluation, whatever its layout on disk."""
# ruff: noqa: D102 - views implement what Sequence documents

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from monodepth_ros.data.cameras.capture_settings import Calibration
from monodepth_ros.data.images.file import DepthImage, Mask, RgbImage
from monodepth_ros.data.known_pose import UNKNOWN, Matrix
from monodepth_ros.geometry.camera import PinholeCamera

_NAMED = 5  # frames without a pose; the rest is counted


class Sequence(ABC):
    """Frames of one camera in temporal order.

    ``camera`` belongs to the image files as they are stored, distortion included. Frames are
    counted from 0. Optional truth is None where the recording has none. ``calibration`` says
    whether somebody measured the camera or guessed it.
    """

    name: str
    camera: PinholeCamera
    calibration: Calibration = "measured"
    number_rate: float | None = None  # frame numbers a second, where somebody stated it
    # Of an extraction:
    left_out: Mapping[str, int] = MappingProxyType({})  # images that gave no frame, by the reason
    notes: tuple[str, ...] = ()  # what else is to be known of how the frames came about

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int) -> RgbImage:
        """Uint8 HxWx3 RGB of the camera's size.

        Raises :class:`CorruptFrame` when the file cannot be read, and ``UserError`` naming the
        file when its size is not the camera's.
        """

    @abstractmethod
    def frame_name(self, index: int) -> str:
        """The frame's name for people: its image file, usually."""

    @abstractmethod
    def files(self) -> Iterable[Path]:
        """All files that pixels come from, frame by frame; caches are keyed by their state."""

    def depth(self, index: int) -> DepthImage | None:
        """True Z in metres, float32 HxW in the image's pixels, NaN invalid; errors as ``image``."""
        return None

    def pose(self, index: int) -> Matrix | None:
        """T_world_camera, 4x4."""
        return None

    def stamp_ns(self, index: int) -> int | None:
        """Time of exposure in nanoseconds."""
        return None

    def number(self, index: int) -> int:
        """The frame's number in the recording; a jump shows that frames are missing."""
        return index

    def reflective(self, index: int) -> Mask | None:
        """Bool HxW: pixels that mirror something else rather than show a surface."""
        return None

    def speed(self, index: int) -> float | None:
        """The camera's speed in m/s, as another sensor measured it."""
        return None

    @property
    def stereo(self) -> StereoPartner | None:
        """A second camera that took an image with each of this one's."""
        return None

    @property
    def has_depth(self) -> bool:
        """Whether any frame has true depth."""
        return False

    @property
    def has_pose(self) -> bool:
        """Whether any frame has a true pose."""
        return False

    @property
    def has_masks(self) -> bool:
        """Whether any frame has a reflective mask."""
        return False

    @property
    def states_poses(self) -> bool:
        """Whether the recording has poses at all: then a frame without a known one is told."""
        return self.has_pose

    @property
    def is_video(self) -> bool:
        """Whether successive frames are neighbours in time, or unrelated pictures."""
        return True

    @property
    def account(self) -> list[str]:
        """What extraction left out, and what else is to be known of it, in lines."""
        return [*(f"{n} left out: {why}" for why, n in self.left_out.items()), *self.notes]

    @property
    def targets(self) -> Iterable[int]:
        """The frames to train or evaluate on; the others are there as their neighbours."""
        return range(len(self))


@dataclass(frozen=True, eq=False)
class StereoPartner:
    """The recording of a second camera, frame by frame beside the first's, and where it stands.

    ``T_partner_camera`` is 4x4 and maps points of the first camera into the second.
    """

    sequence: Sequence
    T_partner_camera: Matrix


def _of_frame(name: str) -> Any:
    """That method of the other sequence, at the frame's index there."""
    return lambda view, index: getattr(view._whole, name)(view._at(index))


def _of_whole(name: str) -> Any:
    """That property of the other sequence."""
    return property(lambda view: getattr(view._whole, name))


class SequenceView(Sequence):
    """Another sequence seen otherwise: whatever a view does not override is as it is there."""

    def __init__(self, whole: Sequence) -> None:
        self._whole = whole
        self.name, self.camera, self.calibration = whole.name, whole.camera, whole.calibration
        self.number_rate = whole.number_rate
        self.left_out, self.notes = whole.left_out, whole.notes

    def _at(self, index: int) -> int:
        """The frame's index in the other sequence."""
        return index

    def __len__(self) -> int:
        return len(self._whole)

    def files(self) -> Iterable[Path]:
        return self._whole.files()

    image, depth, reflective = _of_frame("image"), _of_frame("depth"), _of_frame("reflective")
    pose, speed, number = _of_frame("pose"), _of_frame("speed"), _of_frame("number")
    frame_name, stamp_ns = _of_frame("frame_name"), _of_frame("stamp_ns")
    has_depth, has_pose, has_masks = map(_of_whole, ("has_depth", "has_pose", "has_masks"))
    states_poses, is_video = _of_whole("states_poses"), _of_whole("is_video")
    targets, stereo = _of_whole("targets"), _of_whole("stereo")


class SlicedSequence(SequenceView):
    """Frames ``start:stop:step`` of another sequence."""

    def __init__(self, whole: Sequence, frames: slice) -> None:
        super().__init__(whole)
        self._frames = frames
        self._indices = range(*frames.indices(len(whole)))
        if self._indices.step < 1:
            raise ValueError("a sequence runs forward in time: the slice's step must be positive")
        parts = (frames.start, frames.stop, frames.step)
        self.name = f"{whole.name}@{':'.join('' if part is None else str(part) for part in parts)}"

    def _at(self, index: int) -> int:
        return self._indices[index]

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def stereo(self) -> StereoPartner | None:
        partner = self._whole.stereo
        if partner is None:
            return None
        return replace(partner, sequence=SlicedSequence(partner.sequence, self._frames))

    @property
    def targets(self) -> Iterable[int]:
        wanted = set(self._whole.targets)
        return [i for i, whole_index in enumerate(self._indices) if whole_index in wanted]


def unknown_poses(sequence: Sequence) -> str | None:
    """One line that counts and names the frames whose pose is not known; None where none is."""
    if not sequence.states_poses:
        return None
    frames = [i for i in range(len(sequence)) if sequence.pose(i) is None]
    if not frames:
        return None
    named = ", ".join(sequence.frame_name(frame) for frame in frames[:_NAMED])
    more = f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else ""
    return (
        f"{sequence.name}: poses {len(sequence) - len(frames)} of {len(sequence)} frames; the"
        f" others are missing, {UNKNOWN}: {named}{more}"
    )
