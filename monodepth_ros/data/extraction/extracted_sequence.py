"""Frames of a recording written into a sequence folder, and what came of it.

An interrupted extraction, started again with the same options, goes on behind its last frame; one
that is complete is found. A folder with another extraction is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.extraction.record import Source, check_origin, origin_of
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.images.file import DepthImage, Mask, RgbImage
from monodepth_ros.data.known_pose import Matrix
from monodepth_ros.data.layouts.sequence_folder import OUTCOME, SequenceWriter, read_outcome
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.progress import count_frames


@dataclass(frozen=True)
class ExtractedFrame:
    """uint8 HxWx3 RGB as the ``camera`` sees it, at ``stamp`` nanoseconds; what is unknown is None.

    ``depth`` is the truth in metres, HxW, NaN unknown; ``pose`` ``T_world_camera``, ``speed`` m/s,
    ``reflective`` bool HxW.
    """

    rgb: RgbImage
    camera: PinholeCamera
    stamp: int | None
    depth: DepthImage | None = None
    pose: Matrix | None = None
    speed: float | None = None
    reflective: Mask | None = None


@dataclass
class ExtractedSequence:
    """What came of one camera: frames written in all, how many messages were left out, and why.

    ``recording`` is the bag, or where else it was. ``coverage`` is how many of the frames have
    depth, poses and speed, as far as asked for; ``failure`` is why none could be taken, and
    ``problems`` are those of the bag.
    """

    recording: Path
    topic: str
    folder: Path
    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    coverage: dict[str, Coverage] = field(default_factory=dict)
    failure: str = ""
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """For people's programs."""
        return {
            "bag": str(self.recording),
            "images": self.topic,
            "out": str(self.folder),
            **self.outcome(),
            "failure": self.failure,
            "problems": self.problems,
        }

    def outcome(self) -> dict[str, Any]:
        """What is stored of it beside the frames."""
        return {
            "frames": self.frames,
            "left_out": dict(self.left_out),
            "coverage": [coverage.as_json() for coverage in self.coverage.values()],
        }

    def print_to(self, console: Console) -> None:
        """Say how many frames were written where, and what was left out."""
        told = f"{self.recording.name}: no image of {self.topic} can be used"
        if self.frames:
            told = f"{self.frames} frames of {self.topic} of {self.recording} in {self.folder}"
        console.print(told)
        for coverage in self.coverage.values():
            console.print(f"  {coverage}")
        for reason, count in self.left_out.items():
            console.print(f"  {count} left out: {reason}")

    def follow(
        self, steps: Iterable[ExtractedSequence], total: int, console: Console
    ) -> ExtractedSequence:
        """The last step of its extraction, with a progress bar; itself where there is none."""
        last = self
        with count_frames(console, self.topic, total) as advance:
            for step in steps:
                last = step
                advance()
        return last


def write_frames(
    done: ExtractedSequence,
    source: Source,
    request: ExtractionRequest,
    frames: Iterable[ExtractedFrame | None],
    described: Callable[[], Mapping[str, Any]],
) -> Iterator[ExtractedSequence]:
    """Write one camera's frames; yields ``done`` after every image, for a progress bar.

    ``frames`` has None for each that is left out, which it counts in ``done``. ``described`` gives
    what sequence.yaml says of the recording, once a frame is there. Frames that are in the folder
    already are kept. UserError where they are of another recording or request.
    """
    folder = done.folder
    origin = origin_of(source, done.topic, request)
    check_origin(folder, origin)
    if (found := read_outcome(folder)) is not None:
        source.problems += found["problems"]
        done.frames = found["frames"]
        done.left_out.update(found["left_out"])
        coverages = map(Coverage.of_json, found.get("coverage", ()))
        done.coverage.update({coverage.what: coverage for coverage in coverages})
        yield done
        return
    edited = UserError(
        f"{folder / 'frames.csv'}: holds other frames than this extraction has written: choose"
        " another --out, or remove the folder"
    )
    writer: SequenceWriter | None = None
    with ExitStack() as opened:
        for frame in frames:
            if frame is not None:
                if writer is None:
                    writer = SequenceWriter(
                        folder,
                        frame.camera,
                        image_format=request.image_format,
                        licence=request.licence,
                        origin=origin,
                        **described(),
                    )
                    opened.enter_context(writer)
                if done.frames == len(writer):
                    writer.add(
                        frame.rgb,
                        frame.depth,
                        frame.pose,
                        frame.stamp,
                        frame.speed,
                        frame.reflective,
                    )
                elif writer.stamps[done.frames] != frame.stamp:
                    raise edited
                done.frames += 1
            yield done
    if writer is not None:
        if done.frames != len(writer):
            raise edited
        outcome = {**done.outcome(), "problems": source.problems}
        with atomic_path(folder / OUTCOME) as temporary:
            temporary.write_text(json.dumps(outcome, indent=1) + "\n")
