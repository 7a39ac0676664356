"""What evaluations take: recordings with truth, and what a model says of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import typer
from numpy.typing import NDArray

from monodepth_ros.cli.evaluation.output import tell_skipped, with_progress
from monodepth_ros.data.cameras.capture_settings import NOTHING_STATED, CaptureSettings
from monodepth_ros.data.rectified_sequence import rectified
from monodepth_ros.data.sequence import CorruptFrame, Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair
from monodepth_ros.evaluation.depth_protocol import DepthProtocol, blend_flipped
from monodepth_ros.evaluation.trajectory import Trajectory

if TYPE_CHECKING:
    from monodepth_ros.inference.depth_estimator import DepthEstimator

Model = Annotated[str | None, typer.Option(help="A model's name or folder, to run on --data.")]
Data = Annotated[
    list[str] | None,
    typer.Option(help="Recording with truth; PATH@START:STOP:STEP for a part of it. Repeatable."),
]
Every = Annotated[int, typer.Option(min=1, help="Use every N-th frame of --data.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]


def open_recordings(
    paths: list[str] | None,
    option: str,
    kitti_truth: Literal["velodyne", "improved"] = "velodyne",
    capture: CaptureSettings = NOTHING_STATED,
) -> list[Sequence]:
    """The recordings of an option, rectified, each under a name of its own."""
    from monodepth_ros.data.open_sequence import open_sequence

    if not paths:
        raise UserError(f"{option} is missing: the recordings to evaluate on")
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


def guesses(sequences: list[Sequence]) -> dict[str, int]:
    """How many recordings have intrinsics that nobody measured, where there are some."""
    count = sum(sequence.calibration == "guessed" for sequence in sequences)
    return {"guessed_cameras": count} if count else {}


def estimator_of(model: str, device: str) -> DepthEstimator:
    """A model's depth at the network's size."""
    from monodepth_ros.inference.depth_estimator import DepthEstimator

    return DepthEstimator(model, device=device, output_size="network")


def frames_of(sequence: Sequence, every: int) -> list[int]:
    """Which frames are evaluated."""
    return list(sequence.targets)[::every]


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


def predicted_disparity(
    estimator: DepthEstimator, sequence: Sequence, index: int, protocol: DepthProtocol, flip: bool
) -> NDArray[np.floating]:
    """1/depth of one frame at the network's size."""
    rgb, camera = sequence.image(index), sequence.camera
    rows = protocol.rows(len(rgb))
    if rows < len(rgb):
        rgb, camera = rgb[:rows], camera.cropped(0, 0, rows, camera.width)
    disparity = estimator.estimate(rgb, camera).disparity
    if not flip:
        return disparity
    mirrored = estimator.estimate(np.ascontiguousarray(rgb[:, ::-1]), camera.flipped())
    return blend_flipped(disparity, mirrored.disparity[:, ::-1])


def model_trajectories(
    model: str, sequence: Sequence, every: int, device: str, refine: bool = False
) -> tuple[Trajectory, Trajectory]:
    """The model's trajectory and the true one; frames without image or true pose are left out.

    With ``refine`` each motion is aligned to depth.
    """
    from monodepth_ros.inference.visual_odometry import VisualOdometry

    odometry = VisualOdometry(model, device=device, refine=refine)
    keys: list[int] = []
    estimate, truth, skipped = [], [], []
    for index in with_progress(frames_of(sequence, every), "odometry"):
        pose = sequence.pose(index)
        try:
            if pose is None:
                raise CorruptFrame(sequence.frame_name(index), "no true pose")
            image = sequence.image(index)
        except CorruptFrame as error:
            skipped.append((sequence.frame_name(index), error.reason))
            continue
        estimate.append(odometry.add(image, sequence.camera))
        truth.append(pose)
        keys.append(index)
    tell_skipped(skipped, "frames")
    if len(keys) < 2:
        raise UserError(f"{sequence.name}: {len(keys)} frames with image and true pose, 2 needed")
    frames = np.array(keys, np.float64)
    return (
        Trajectory(frames, np.stack(estimate), f"the estimate for {sequence.name}"),
        Trajectory(frames, np.stack(truth), f"the truth of {sequence.name}"),
    )
