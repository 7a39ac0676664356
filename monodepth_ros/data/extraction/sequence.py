"""From a video, plain images or any other recording to a sequence folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.extraction import ExtractedSequence
from monodepth_ros.data.extraction.motion_filter import MotionFilter
from monodepth_ros.data.extraction.outcome import read_outcome, write_outcome
from monodepth_ros.data.extraction.record import check_origin, origin_of
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.fingerprint import fingerprint_of_files, fingerprint_of_sequence
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.images.file import CorruptFrame, DepthImage, RgbImage
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
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

    @cached_property
    def fingerprint(self) -> str:
        """Another text when the content is another; a guess is of the request, not of the files."""
        if self.sequence.calibration == "guessed":
            return fingerprint_of_files(list(self.sequence.files()), times=False)
        return fingerprint_of_sequence(self.sequence)


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
    origin = origin_of(source, sequence.name, request)
    check_origin(folder, origin)
    if (found := read_outcome(folder)) is not None:
        yield ExtractedSequence(sequence.name, folder, found["frames"], Counter(found["left_out"]))
        return
    done = ExtractedSequence(sequence.name, folder)
    times = frame_times(sequence)
    step = median_step(times[:: request.every])
    with SequenceWriter(
        folder,
        sequence.camera,
        fps=1.0 if step is None else round(1 / step, 3),
        image_format=request.image_format,
        source=sequence.name,
        licence=request.licence,
        origin=origin,
        calibration=sequence.calibration,
    ) as writer:
        written = len(writer)
        for frame in _taken(sequence, request, done.left_out):
            if frame is not None:
                done.frames += 1
                if done.frames > written:
                    at, rgb, depth, reflective = frame
                    pose, speed = sequence.pose(at), sequence.speed(at)
                    writer.add(rgb, depth, pose, times[at], speed, reflective)
            yield done
    write_outcome(folder, {**done.as_outcome(), "problems": []})


def _taken(
    sequence: Sequence, request: ExtractionRequest, left_out: Counter[str]
) -> Iterator[tuple[int, RgbImage, DepthImage | None, NDArray[np.bool_] | None] | None]:
    """Every frame once: index, image, depth, reflective mask.

    None for what is not taken, of which ``left_out`` counts why.
    """
    moving = MotionFilter(request.motion)
    for index in range(len(sequence)):
        if index % request.every:
            left_out["between every n-th image"] += 1
            yield None
            continue
        try:
            rgb, depth = sequence.image(index), sequence.depth(index)
            frame = (index, rgb, depth, sequence.reflective(index))
        except (CorruptFrame, UserError) as error:
            left_out[str(error)] += 1
            yield None
            continue
        if not moving.takes(rgb):
            left_out["without motion"] += 1
            yield None
            continue
        yield frame
