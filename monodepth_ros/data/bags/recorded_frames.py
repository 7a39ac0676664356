"""Frames of a bag or of a recording as a node would get them: rectified, with truth beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from monodepth_ros.data.bags.frames import BagFrames, RecordedFrame
from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.frame_times import frame_times
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.rectification import Rectifier, rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.stamps import TimedMessage, filter_stamps


def frames_of_bag(
    extraction: BagFrames,
    topic: str,
    left_out: Counter[str],
    coverage: dict[str, Coverage],
) -> Iterator[RecordedFrame | None]:
    """One camera's images; None for each that is left out, which is counted with the reason."""
    rectifier: Rectifier | None = None
    for frame in extraction.frames(topic, left_out, coverage):
        if frame is not None:
            rectifier = rectifier or Rectifier(frame.camera)
            rgb = rectifier.image(frame.rgb)
            depth = None if frame.depth is None else rectifier.depth(frame.depth)
            frame = replace(frame, rgb=rgb, camera=rectifier.camera, depth=depth)
        yield frame


def frames_of_sequence(
    sequence: Sequence,
    left_out: Counter[str],
    coverage: dict[str, Coverage],
    every: int = 1,
) -> Iterator[RecordedFrame | None]:
    """Every n-th of a recording's images; None for each that is left out, which is counted.

    ``coverage`` gets how many of the others have the truth that the recording states.
    UserError where no frame has a stamp.
    """
    seen = rectified(sequence)
    stated = {"depth": sequence.has_depth, "poses": sequence.states_poses}
    for what in (what for what, is_stated in stated.items() if is_stated):
        coverage[what] = Coverage(what, sequence.name, requested=False)
    for judged in _times(sequence, range(0, len(sequence), every)):
        index, reason = judged.item, judged.reason
        if not reason:
            try:
                rgb, depth = seen.image(index), seen.depth(index)
            except (CorruptFrame, UserError) as error:
                reason = str(error)
        if reason:
            left_out[reason] += 1
            yield None
            continue
        pose = sequence.pose(index)
        for what, known in (("depth", depth), ("poses", pose)):
            if what in coverage:
                coverage[what].add(Unknown("not in the recording") if known is None else known)
        yield RecordedFrame(rgb, seen.camera, judged.time, depth, pose, segment=judged.segment)


def _times(sequence: Sequence, indices: range) -> list[TimedMessage[int]]:
    every = frame_times(sequence)
    stamps = [every[index] for index in indices]
    known = [stamp for stamp in stamps if stamp is not None]
    begin = min(known, default=0) - 1  # some layouts count from 0, which is a stamp there
    filtered = filter_stamps([0 if s is None else s - begin for s in stamps], [0] * len(stamps))
    segment, last = 0, None
    times = []
    for judged, index in zip(filtered, indices, strict=True):
        if not judged.reason:
            # A jump ahead that stays is a pause: no time of arrival says that a clock was set.
            segment += last is not None and judged.time < last
            last = judged.time
        at = judged.time + begin
        times.append(replace(judged, item=index, time=at, segment=segment))
    return times
