"""Videos, plain images and other recordings copied into sequence folders."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.extraction.extracted_sequence import (
    ExtractedFrame,
    ExtractedSequence,
    write_frames,
)
from monodepth_ros.data.extraction.motion_filter import MotionFilter
from monodepth_ros.data.extraction.record import own_folder
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.fingerprint import fingerprint_of_files, fingerprint_of_sequence
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError, WrongUse

_BAG_OPTIONS = (
    *("images", "camera_info", "rectified"),
    *("depth", "poses", "speed", "frame", "mounting"),
)


class SequenceFiles:
    """A recording as the source of an extraction."""

    def __init__(self, path: Path, sequence: Sequence) -> None:
        self.path, self.sequence = path, sequence
        self.problems: list[str] = []

    @cached_property
    def fingerprint(self) -> str:
        """Another text when the content is another; a guess is of the request, not of the files."""
        if self.sequence.calibration == "guessed":
            return fingerprint_of_files(list(self.sequence.files()), times=False)
        return fingerprint_of_sequence(self.sequence)


def copy_recordings(
    path: Path, out: Path, request: ExtractionRequest, capture: CaptureSettings, console: Console
) -> list[ExtractedSequence]:
    """Every recording at ``path``, each into a folder of its own: ``out/<name>``.

    What is there already is kept. UserError where a folder holds another extraction of it.
    """
    outcomes = []
    for sequence in open_sequence(path, capture=capture):
        name = re.sub(r"\W+", "_", sequence.name).strip("_") or "recording"
        files = SequenceFiles(path, sequence)
        folder = own_folder(out / name, files, sequence.name)
        done = ExtractedSequence(path, sequence.name, folder)
        done = done.follow(extract_sequence(files, folder, request), len(sequence), console)
        outcomes.append(done)
        done.print_to(console)
    return outcomes


def extract_sequence(
    source: SequenceFiles, folder: Path, request: ExtractionRequest
) -> Iterator[ExtractedSequence]:
    """Write every n-th frame that has moved, with what is known of it; yields after each frame.

    Frames that are in ``folder`` already are kept. UserError where they are of another recording or
    request, WrongUse for frames without times and for options that only bags have.
    """
    sequence = source.sequence
    for option in _BAG_OPTIONS:
        if getattr(request, option) is not None:
            name = option.replace("_", "-")
            raise WrongUse(f"--{name} is for bags, which {source.path} is not")

    def description() -> dict[str, Any]:
        step = median_step(frame_times(sequence)[:: request.every])
        return {
            "fps": 1.0 if step is None else round(1 / step, 3),
            "source": sequence.name,
            "calibration": sequence.calibration,
        }

    done = ExtractedSequence(source.path, sequence.name, folder)
    frames = _frames(sequence, request, done.left_out)
    return write_frames(done, source, request, frames, description)


def _frames(
    sequence: Sequence, request: ExtractionRequest, left_out: Counter[str]
) -> Iterator[ExtractedFrame | None]:
    """Every frame once; None for what is not taken, of which ``left_out`` counts why."""
    moving = MotionFilter(request.motion)
    for index, stamp in enumerate(frame_times(sequence)):
        frame = None
        if index % request.every:
            left_out["between every n-th image"] += 1
        else:
            try:
                frame = ExtractedFrame(
                    sequence.image(index),
                    sequence.camera,
                    stamp,
                    sequence.depth(index),
                    sequence.pose(index),
                    sequence.speed(index),
                    sequence.reflective(index),
                )
            except (CorruptFrame, UserError) as error:
                left_out[str(error)] += 1
        if frame is not None and not moving.takes(frame.rgb):
            left_out["without motion"] += 1
            frame = None
        yield frame
