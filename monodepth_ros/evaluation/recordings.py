"""What is evaluated on: recordings with truth, rectified, and the true half of each comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.fingerprint import camera_values, decoded_sample, fingerprint_of_files
from monodepth_ros.data.frame_times import frame_times
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair
from monodepth_ros.evaluation.depth_protocol import DepthProtocol
from monodepth_ros.stamps import SECOND


def open_recordings(
    paths: Iterable[str],
    kitti_truth: Literal["velodyne", "improved"] = "velodyne",
    capture: CaptureSettings = NOTHING_STATED,
) -> list[Sequence]:
    """The recordings at ``paths``, rectified, each under a name of its own."""
    sequences = [
        rectified(sequence)
        for path in paths
        for sequence in open_sequence(path, kitti_truth, capture)
    ]
    seen: Counter[str] = Counter()
    for sequence in sequences:  # tables and plots are keyed by the name
        seen[sequence.name] += 1
        if seen[sequence.name] > 1:
            sequence.name = f"{sequence.name} ({seen[sequence.name]})"
    return sequences


def stamps_or_assumed(sequence: Sequence) -> list[int | None]:
    """Stamps of a recording's frames in nanoseconds; ten a second where it states none.

    For what only forgets by time. The rate is assumed for nothing else.
    """
    try:
        return frame_times(sequence)
    except UserError:
        return [index * SECOND // 10 for index in range(len(sequence))]


def guessed_cameras(sequences: Iterable[Sequence]) -> dict[str, int]:
    """How many recordings have intrinsics that nobody measured, where there are some."""
    count = sum(sequence.calibration == "guessed" for sequence in sequences)
    return {"guessed_cameras": count} if count else {}


def frames_of(sequence: Sequence, every: int) -> list[int]:
    """Which frames are evaluated."""
    return list(sequence.targets)[::every]


def state_of(sequence: Sequence) -> list[object]:
    """Another one when the recording's files, camera, or the way they are read are others."""
    files = fingerprint_of_files(list(sequence.files()), times=True, blocks=10)
    frames = [sequence.name, len(sequence), sequence.frame_name(0) if len(sequence) else ""]
    return [frames, files, camera_values(sequence), decoded_sample(sequence)]


def true_half(sequence: Sequence, index: int, protocol: DepthProtocol) -> DepthPair:
    """The true half of a pair, or the reason why there is none."""
    name = f"{sequence.name}/{sequence.frame_name(index)}"
    try:
        truth = sequence.depth(index)
    except CorruptFrame as error:
        return DepthPair(sequence.name, name, problem=str(error))
    if truth is None:
        return DepthPair(sequence.name, name, problem="no true depth")
    return DepthPair(sequence.name, name, truth=truth[: protocol.rows(len(truth))])
