"""`monodepth replay`: what the nodes would have said of a bag, repeatable, and how true it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from monodepth_ros.cli.options.capture import FieldOfView, Fps, Rectified, capture_settings
from monodepth_ros.cli.options.truth import Mounting, T_base_camera, Tolerance
from monodepth_ros.data.bags.file import BagFile, is_bag
from monodepth_ros.data.bags.frames import BagFrames
from monodepth_ros.data.bags.recorded_frames import RecordedFrame, frames_of_bag, frames_of_sequence
from monodepth_ros.data.cameras.capture_settings import Calibration, CaptureSettings
from monodepth_ros.data.coverage import found_nowhere
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.report_files import to_json
from monodepth_ros.geometry.mask_size import resize_nearest
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.report import write_comparison, write_replay_report
from monodepth_ros.stamps import SECOND, ElapsedTime
from monodepth_ros.visualisation.rerun_recording import RerunRecording, rerun_is_installed

if TYPE_CHECKING:
    from monodepth_ros.inference.camera_tracker import TrackerSettings
    from monodepth_ros.inference.depth_estimator import DepthEstimator

_PICTURES = 6


def replay(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="A bag, recording, video or folder of images; with --compare, folders of replays.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the report, new or empty.")],
    model: Annotated[str, typer.Option(help="A model's name or folder.")] = "demo",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    refine: Annotated[bool, typer.Option("--refine", help="Align each motion to depth.")] = False,
    images: Annotated[str | None, typer.Option(help="Image topic; the first by default.")] = None,
    camera_info: Annotated[str | None, typer.Option(help="Its camera_info topic.")] = None,
    camera: Annotated[Path | None, typer.Option(help="Or a calibration file of ROS.")] = None,
    rectified: Rectified = None,
    depth: Annotated[str | None, typer.Option(help="Topic of true depth.")] = None,
    poses: Annotated[
        str | None, typer.Option(help="Topic of true poses: odometry, poses, transforms, or TF.")
    ] = None,
    frame: Annotated[str | None, typer.Option(help="Of poses by TF: the fixed frame.")] = None,
    mounting: Mounting = None,
    tolerance: Tolerance = 0.02,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th image.")] = 1,
    field_of_view: FieldOfView = None,
    fps: Fps = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show finished replays side by side.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run depth and odometry offline on a bag, video or recording, and write a report.

    The same computation as the nodes', image for image and as fast as it goes; two runs give the
    same results to the byte, but for replay.rrd and the files that begin with timing. Where the bag
    holds true depth or poses, name their topics: depth is measured median-scaled, odometry after
    alignment. The page is report.html in --out.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"--out {out}: not empty; name a new folder")
    if compare:
        if len(sources) < 2:
            raise UserError("--compare needs the folders of at least two replays")
        out.mkdir(parents=True, exist_ok=True)
        compared = write_comparison(out, [Path(source) for source in sources])
        if as_json:
            print(json.dumps(compared, indent=1))
        for name, figures in compared.items() if not as_json else ():
            typer.echo(name)
            _show(figures, as_json)
        return
    from monodepth_ros.inference.tracker_rate import settings_for_step

    if len(sources) > 1:
        raise UserError("one bag at a time; --compare shows finished replays side by side")
    capture = capture_settings(camera, field_of_view, fps)
    request = ExtractionRequest(
        images=None if images is None else (images,),
        camera_info=camera_info,
        camera=capture.camera,
        rectified=rectified,
        field_of_view=field_of_view,
        depth=depth,
        poses=poses,
        frame=frame,
        mounting=T_base_camera(mounting),
        tolerance=tolerance,
        every=every,
    )
    with ExitStack() as opened:
        record = ReplayRecord()
        source = _Source(sources[0], request, capture, record, opened)
        tracking, note = settings_for_step(source.step)
        if note is not None:
            typer.echo(note, err=True)
            record.problems.append(note)
        run = _Run(model, device, refine, out, record, tracking)
        with Progress(console=Console(stderr=True), disable=as_json) as progress:
            task = progress.add_task("replay", total=source.total)
            for recorded in source.frames:
                if recorded is not None:
                    run.take(recorded)
                progress.advance(task)
        record.problems += dict.fromkeys(source.problems)
        calibration = source.calibration
    if not record.frames:
        why = dict(record.left_out)
        typer.echo(f"monodepth: {sources[0]}: no frame could be replayed: {why}", err=True)
        raise typer.Exit(1)
    _show(run.finish(sources[0], source.description, calibration), as_json)
    if not as_json:
        for line in record.account():
            typer.echo(line, err=True)
    if in_vain := found_nowhere(record.coverage.values()):
        typer.echo(f"monodepth: {sources[0]}: {'; '.join(in_vain)}", err=True)
        raise typer.Exit(1)


class _Source:
    """The frames of a bag or of a recording; ``step`` is the usual seconds between those taken."""

    def __init__(
        self,
        path: str,
        request: ExtractionRequest,
        capture: CaptureSettings,
        record: ReplayRecord,
        opened: ExitStack,
    ) -> None:
        self.problems: list[str] = []
        self.frames: Iterator[RecordedFrame | None]
        if not Path(path).exists() or not is_bag(Path(path)):
            sequence = _only_one(open_sequence(path, capture=capture), path)
            self.total = len(range(0, len(sequence), request.every))
            self.description = sequence.name
            self.problems = [f"extraction: {line}" for line in sequence.account]
            self.frames = frames_of_sequence(
                sequence, record.left_out, record.coverage, request.every
            )
            self.step = median_step(frame_times(sequence)[:: request.every])
            self._calibration: Callable[[], Calibration] = lambda: sequence.calibration
            return
        bag = opened.enter_context(BagFile(path))
        extraction = BagFrames(bag, request)
        topic = extraction.usable_camera()
        self.problems = bag.problems
        stamps = extraction.times.recorded(topic)
        self.total, self.description = len(stamps), topic
        self.frames = frames_of_bag(extraction, topic, record.left_out, record.coverage)
        self.step = median_step(sorted(stamps)[:: request.every])
        self._calibration = lambda: "guessed" if topic in extraction.guessed else "measured"

    @property
    def calibration(self) -> Calibration:
        """How the camera is known, once there was an image."""
        return self._calibration()


def _only_one(sequences: list[Sequence], path: str) -> Sequence:
    """The recording to replay; the others are named."""
    for other in sequences[1:]:
        typer.echo(f"{path}: not replayed: {other.name}", err=True)
    return sequences[0]


@dataclass(frozen=True)
class _Picture:
    """Of the frame with that number; what it shows, from left to right."""

    number: int
    rgb: NDArray[np.uint8]
    caption: str


class _Run:
    """A model on frame after frame, and what is kept of each."""

    def __init__(
        self,
        model: str,
        device: str,
        refine: bool,
        out: Path,
        record: ReplayRecord,
        tracking: TrackerSettings,
    ) -> None:
        from monodepth_ros.inference.camera_tracker import CameraTracker
        from monodepth_ros.inference.depth_estimator import DepthEstimator
        from monodepth_ros.inference.motion_estimator import MotionEstimator

        motion = MotionEstimator(model, device, refine=refine)
        self.depth: DepthEstimator = DepthEstimator(motion.engine, output_size="network")
        self.tracker = CameraTracker(motion, tracking)
        self.out, self.record = out, record
        self.milliseconds: list[float] = []
        self._kept: list[_Picture] = []
        self._elapsed = ElapsedTime()
        self._every = 1  # of the frames whose picture is kept; doubled as they become many
        out.mkdir(parents=True, exist_ok=True)
        self._rerun = RerunRecording(out / "replay.rrd") if rerun_is_installed() else None

    def take(self, frame: RecordedFrame) -> None:
        """One frame, as both nodes take it."""
        began = time.perf_counter()
        seen = self.depth.estimate(frame.rgb, frame.camera)
        tracked = self.tracker.add(frame.rgb, frame.camera, frame.stamp, stretch=frame.stretch)
        self.milliseconds.append(1000 * (time.perf_counter() - began))
        pose = None if tracked is None else tracked.T_world_camera
        event = "none" if tracked is None else tracked.event
        self.record.metric = seen.scale == "metric"
        number = len(self.record.frames)
        self.record.add(
            frame.stamp, seen.depth, frame.depth, pose, event, frame.pose, frame.stretch
        )
        if number % self._every == 0:
            ratio = self.record.frames[-1].ratio
            self._keep(_Picture(number, *_panels(frame, seen.depth, seen.disparity, ratio)))
        if self._rerun is not None:
            seconds = self._elapsed.at(frame.stamp, frame.stretch) / SECOND
            if pose is not None:
                self._rerun.add_pose(seconds, pose)
            if seen.camera is not None:
                self._rerun.add_depth(seconds, frame.rgb, seen.depth, seen.camera)

    def finish(self, source: str, what: str, calibration: Calibration) -> dict[str, object]:
        """Write the report; what its metrics.json holds."""
        if self._rerun is not None:
            self._rerun.close()
        pictures = {}
        for kept in self._kept:
            name = f"frame_{kept.number:06d}.png"
            pictures[name] = f"frame {kept.number}: {kept.caption}"
            _write_picture(self.out / name, kept.rgb)
        engine = self.depth.engine
        facts = {
            "source": Path(source).name,
            "camera": what,
            "intrinsics": calibration,
            "model": engine.card.name,
            "weights": next(iter(engine.card.files.values()), "")[:12],
            "device": str(engine.device),
        }
        title = f"{Path(source).name} by {engine.card.name}"
        times = np.array(self.milliseconds)
        return write_replay_report(self.out, title, facts, self.record, pictures, times)

    def _keep(self, picture: _Picture) -> None:
        """Evenly spread over a recording whose length is not known yet."""
        self._kept.append(picture)
        if len(self._kept) > 2 * _PICTURES:
            self._every *= 2
            self._kept = [kept for kept in self._kept if kept.number % self._every == 0]


def _panels(
    frame: RecordedFrame, depth: NDArray[np.float32], disparity: NDArray[np.float32], ratio: float
) -> tuple[NDArray[np.uint8], str]:
    """Image, disparity, and with truth that and the error, all of the network's size; a caption."""
    import cv2

    from monodepth_ros.visualisation.preview import colourise

    height, width = depth.shape
    image = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA)
    parts, caption = [image, colourise(disparity)], "image, inverse depth (near is bright)"
    if frame.depth is not None and np.isfinite(ratio):
        truth = resize_nearest(frame.depth, (height, width)).astype(np.float32)
        known = np.isfinite(truth) & (truth > 0)
        parts.append(colourise(np.where(known, 1 / np.where(known, truth, 1), np.nan)))
        error = np.abs(ratio * depth - truth) / np.where(known, truth, 1) / 0.5
        bytes_ = (255 * np.nan_to_num(error).clip(0, 1)).astype(np.uint8)
        coloured = cv2.applyColorMap(bytes_, cv2.COLORMAP_JET)[:, :, ::-1]
        parts.append(np.where(known[..., None], coloured, 0).astype(np.uint8))
        caption += ", ground truth, relative error after median scaling (red: 50 % and more)"
    return np.concatenate(parts, axis=1), caption


def _write_picture(path: Path, rgb: NDArray[np.uint8]) -> None:
    from PIL import Image

    from monodepth_ros.atomic_file import atomic_path

    with atomic_path(path) as temporary:
        Image.fromarray(rgb).save(temporary, format="PNG")


def _show(figures: Mapping[str, object], as_json: bool) -> None:
    """What metrics.json holds, for a program or for people."""
    if as_json:
        print(to_json(figures))
        return
    for name, value in figures.items():
        if isinstance(value, (int, float)):
            typer.echo(f"{name:30s} {value:.4g}")
