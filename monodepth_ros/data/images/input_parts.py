"""Images and videos that a user names, cut into parts of some frames, and decoded ahead of use.

Threads decode images; a video is decoded in a thread of its own, once for all of its parts.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, groupby
from pathlib import Path

from monodepth_ros.data.cameras.input_camera import InputCamera
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.file import CorruptFrame, RgbImage, read_rgb
from monodepth_ros.data.images.video import frame_count, is_video, read_video
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.overlap import in_background, in_threads
from monodepth_ros.shared_work import PART, file_state


@dataclass(frozen=True)
class InputPart:
    """Up to 16 images, or frames of one video.

    ``frames`` are those of a video by their number among the frames taken; the last part of a video
    has no end, for its header may claim too few. ``suffixes`` tell names apart.
    """

    files: tuple[Path, ...]
    suffixes: tuple[str, ...]
    frames: range | None = None

    @property
    def expected(self) -> int:
        """How many frames it has, as far as headers say."""
        if self.frames is None:
            return len(self.files)
        return 1 if self.frames.stop == sys.maxsize else len(self.frames)

    def state(self, bits: dict[Path, BitDepth]) -> list[object]:
        """Another one when files, names or the scales of 16 bits are others."""
        scales = [bits[file].bits for file in self.files if file in bits]
        return [[file_state(file) for file in self.files], self.suffixes, str(self.frames), scales]


@dataclass(frozen=True)
class InputFrame:
    """A frame of ``file`` under its own name, as ``camera`` sees it without distortion."""

    file: Path
    name: str
    rgb: RgbImage
    camera: PinholeCamera | None


Frames = Generator[InputFrame | CorruptFrame | None, None, None]


def parts_of(files: Sequence[Path], every: int = 1) -> list[InputPart]:
    """All frames of the files in order; of a video every ``every``-th."""
    parts: list[InputPart] = []
    named = zip(files, _suffixes(files), strict=True)
    for video, inputs in groupby(named, lambda pair: pair[0] if is_video(pair[0]) else None):
        own = list(inputs)
        if video is None:
            for start in range(0, len(own), PART):
                images, suffixes = zip(*own[start : start + PART], strict=True)
                parts.append(InputPart(images, suffixes))
        else:
            starts = range(0, max(1, -(-frame_count(video) // every)), PART)
            stops = [*starts[1:], sys.maxsize]
            parts += [
                InputPart((video,), (own[0][1],), range(start, stop))
                for start, stop in zip(starts, stops, strict=True)
            ]
    return parts


def _suffixes(files: Sequence[Path]) -> Iterator[str]:
    """``a/left.png`` and ``b/left.png`` must not overwrite each other's outputs: the second is -2.

    Frames of a video are called after it and their number, as an image may be.
    """
    images: set[str] = set()  # their names
    videos: set[str] = set()  # the names of their frames, # for the number
    numbered: set[str] = set()  # the names of images, # for a number
    for file in files:
        for number in count(1):
            suffix = "" if number == 1 else f"-{number}"
            name = file.stem + suffix
            frames = f"{file.stem}_#{suffix}" if is_video(file) else _numbered(name)
            taken = videos | numbered if is_video(file) else videos
            if frames not in taken and (is_video(file) or name not in images):
                break
        if is_video(file):
            videos.add(frames)
        else:
            images.add(name)
            numbered.add(frames)
        yield suffix


def _numbered(name: str) -> str:
    return re.sub(r"_\d+(-\d+)?$", r"_#\1", name)


def decoded(
    parts: Iterable[InputPart], every: int, bits: dict[Path, BitDepth], seen_by: InputCamera
) -> Frames:
    """The frames of each part, or the errors in their place; None behind the last one of a part."""

    def read(image: tuple[Path, str] | None) -> InputFrame | CorruptFrame | None:
        if image is None:
            return None
        file, suffix = image
        try:
            rgb, camera = seen_by.seen(read_rgb(file, bits.get(file)), file)
            return InputFrame(file, file.stem + suffix, rgb, camera)
        except CorruptFrame as error:
            return error

    for video, group in groupby(parts, lambda p: None if p.frames is None else p.files[0]):
        if video is None:
            images = ((*zip(part.files, part.suffixes, strict=True), None) for part in group)
            yield from in_threads(read, chain.from_iterable(images))
        else:
            yield from in_background(_of_video(video, list(group), every, seen_by))


def _of_video(video: Path, parts: list[InputPart], every: int, seen_by: InputCamera) -> Frames:
    frames = [part.frames for part in parts if part.frames is not None]
    starts, suffix = [own.start for own in frames], parts[0].suffixes[0]

    def part_of(number: int) -> int | None:
        """Which part has the frame; None between those taken, and in parts of others."""
        at = bisect_right(starts, number // every) - 1
        return at if number % every == 0 and at >= 0 and number // every in frames[at] else None

    ended = 0
    try:
        for number, rgb in read_video(video, lambda number: part_of(number) is not None):
            while ended < (part_of(number) or 0):
                yield None
                ended += 1
            rgb, camera = seen_by.seen(rgb, video)
            yield InputFrame(video, f"{video.stem}_{number:06d}{suffix}", rgb, camera)
    except CorruptFrame as error:
        yield error
    yield from [None] * (len(parts) - ended)
