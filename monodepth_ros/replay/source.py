"""What is replayed: the frames of one camera of a bag, or of another recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from monodepth_ros.data.bags.file import BagFile, is_bag
from monodepth_ros.data.bags.frames import BagFrames, RecordedFrame
from monodepth_ros.data.bags.recorded_frames import frames_of_bag, frames_of_sequence
from monodepth_ros.data.cameras.capture_settings import Calibration, CaptureSettings
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.shared_work import file_state


@dataclass
class ReplaySource:
    """Frames in their order, None for each that is left out.

    ``camera`` is its topic or the recording's name, ``step`` the usual seconds between frames.
    ``calibration`` says how the camera is known, once there was an image. ``problems`` are those
    found so far, ``others`` the recordings at the same place that are not replayed.
    """

    path: str
    camera: str
    total: int
    step: float | None
    frames: Iterator[RecordedFrame | None]
    calibration: Callable[[], Calibration]
    problems: list[str]
    others: tuple[str, ...] = ()


@contextmanager
def open_source(
    path: str, request: ExtractionRequest, capture: CaptureSettings, record: ReplayRecord
) -> Iterator[ReplaySource]:
    """The source at ``path``; ``record`` gets what is left out and how much truth there is.

    UserError for what is no recording, and for a bag without the camera that is asked for.
    """
    if Path(path).exists() and is_bag(Path(path)):
        with BagFile(path) as bag:
            yield _of_bag(path, bag, request, record)
    else:
        yield _of_recording(path, request, capture, record)


def state_of_source(path: str) -> list[tuple[str, int, int]]:
    """Another one when a file of the recording is another."""
    place = Path(path) if Path(path).exists() else Path(path.partition("@")[0])
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [file_state(file) for file in files if file.is_file()]


def _of_bag(
    path: str, bag: BagFile, request: ExtractionRequest, record: ReplayRecord
) -> ReplaySource:
    frames = BagFrames(bag, request)
    topic = frames.usable_camera()
    stamps = frames.times.recorded(topic)
    return ReplaySource(
        path=path,
        camera=topic,
        total=len(stamps),
        step=median_step(sorted(stamps)[:: request.every]),
        frames=frames_of_bag(frames, topic, record.left_out, record.coverage),
        calibration=lambda: "guessed" if topic in frames.cameras.guessed else "measured",
        problems=bag.problems,
    )


def _of_recording(
    path: str, request: ExtractionRequest, capture: CaptureSettings, record: ReplayRecord
) -> ReplaySource:
    sequence, *others = open_sequence(path, capture=capture)
    return ReplaySource(
        path=path,
        camera=sequence.name,
        total=len(range(0, len(sequence), request.every)),
        step=median_step(frame_times(sequence)[:: request.every]),
        frames=frames_of_sequence(sequence, record.left_out, record.coverage, request.every),
        calibration=lambda: sequence.calibration,
        problems=[f"extraction: {line}" for line in sequence.account],
        others=tuple(other.name for other in others),
    )
