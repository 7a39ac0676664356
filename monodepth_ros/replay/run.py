"""A model on frame after frame of a recording, as both nodes run it, and the report of it."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.evaluation.predictions import maps_of
from monodepth_ros.inference.background import Background
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker, TrackedPose
from monodepth_ros.inference.odometry.registry import DEFAULT, load_method, method_class
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.inference.scale.recorded import RecordedScale, RecordedSource
from monodepth_ros.overlap import in_background, in_threads
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.report import write_replay_report
from monodepth_ros.replay.source import ReplaySource
from monodepth_ros.stamps import SECOND, ElapsedTime
from monodepth_ros.visualisation.picture_file import write_png
from monodepth_ros.visualisation.preview import beside_the_truth
from monodepth_ros.visualisation.rerun_recording import RerunRecording, rerun_is_installed

_PICTURES = 6
_Estimated = tuple[RecordedFrame, DepthPrediction, TrackedPose | None]


class ReplayRun:
    """Depth and odometry of one recording; what is kept of each frame goes into ``record``.

    A model that does not suit the ``method`` of motion is replayed for its depth alone. With a
    ``scale_source`` depth and poses are in metres, and missing before these are known.
    """

    def __init__(
        self,
        engine: Engine,
        tracking: TrackerSettings,
        out: Path,
        record: ReplayRecord,
        method: str = DEFAULT,
        background: Background = "keep",
        scale_source: RecordedSource | None = None,
    ) -> None:
        self.depth = DepthEstimator(engine, output_size="network", background=background)
        self.method = method
        self.tracker: CameraTracker | None = None
        if (why := method_class(method).unsuited(engine)) is None:
            self.tracker = CameraTracker(load_method(method, engine), tracking)
        else:
            record.problems.append(f"method {method}: {why}: depth alone was replayed")
        if engine.card.unknown_shift:
            record.protocol = record.protocol.suited_to(engine.card.ambiguity)
        self.scale: RecordedScale | None = None
        if scale_source is not None:
            self.scale = RecordedScale(scale_source, engine.card.unknown_shift)
        self.out, self.record = out, record
        self.milliseconds: list[float] = []
        self._kept: dict[int, tuple[NDArray[np.uint8], str]] = {}  # pictures and what they show
        self._elapsed = ElapsedTime()
        self._every = 1  # of the frames whose picture is kept; doubled as they become many
        out.mkdir(parents=True, exist_ok=True)
        self._rerun = RerunRecording(out / "replay.rrd") if rerun_is_installed() else None

    def take_all(self, frames: Iterable[RecordedFrame | None]) -> Generator[None, None, None]:
        """Frames as both nodes take them; gives something for each, and for each left out.

        They are read ahead in one thread, and measured and drawn in another.
        """
        estimated = map(self._estimated, in_background(frames))
        yield from in_threads(self._note, estimated, threads=1)

    def take(self, frame: RecordedFrame) -> None:
        """One frame, at once."""
        self._note(self._estimated(frame))

    def _estimated(self, frame: RecordedFrame | None) -> _Estimated | None:
        if frame is None:
            return None
        began = time.perf_counter()
        image = network_input(self.depth.engine, frame.rgb, frame.camera)
        seen = self.depth.estimate(image, frame.camera, with_confidence=frame.depth is not None)
        seen, factor = self._in_metres(frame, seen)
        tracked = None
        if self.tracker is not None:
            tracked = self.tracker.add(image, frame.camera, frame.stamp, factor, frame.segment)
        self.milliseconds.append(1000 * (time.perf_counter() - began))
        return frame, seen, tracked

    def _in_metres(
        self, frame: RecordedFrame, seen: DepthPrediction
    ) -> tuple[DepthPrediction, float | None]:
        """The depth and the tracker's factor, by the source of the scale if there is one."""
        if self.scale is None:
            return seen, 1.0
        known = self.scale.add(
            frame.rgb,
            frame.camera,
            frame.stamp,
            seen.disparity,
            frame.pose,
            frame.depth,
            frame.segment,
        )
        return (seen, None) if known is None else (seen.in_metres(known), known.factor)

    def _note(self, estimated: _Estimated | None) -> None:
        if estimated is None:
            return
        frame, seen, tracked = estimated
        pose = None if tracked is None else tracked.T_world_camera
        covariance = None if tracked is None else tracked.covariance
        motion = None if tracked is None else tracked.motion
        event = "none" if tracked is None else tracked.event
        self.record.metric = seen.scale == "metric"
        self.record.background_pixels += seen.background_pixels
        if self.scale is not None:
            self.record.take_metres(frame.depth, seen)
            if not self.record.metric:  # as long as metres are unknown, nodes publish no pose
                pose = covariance = None
        number = len(self.record.frames)
        self.record.add(frame, seen.depth, event, pose, covariance, motion, maps_of(seen))
        if number % self._every == 0:
            ratio = self.record.frames[-1].ratio
            shown = beside_the_truth(frame.rgb, seen.depth, seen.disparity, frame.depth, ratio)
            self._keep(number, shown)
        if self._rerun is not None:
            seconds = self._elapsed.at(frame.stamp, frame.segment) / SECOND
            if pose is not None:
                self._rerun.add_pose(seconds, pose)
            if seen.camera is not None:
                self._rerun.add_depth(seconds, frame.rgb, seen.depth, seen.camera)

    def finish(self, source: ReplaySource) -> dict[str, object]:
        """Write the report; what its metrics.json holds."""
        if self._rerun is not None:
            self._rerun.close()
        pictures = {}
        for number, (rgb, caption) in self._kept.items():
            name = f"frame_{number:06d}.png"
            pictures[name] = f"frame {number}: {caption}"
            write_png(self.out / name, rgb)
        engine = self.depth.engine
        recording = Path(source.path).name
        facts = {
            "source": recording,
            "camera": source.camera,
            "intrinsics": source.calibration(),
            "model": engine.card.name,
            "weights": next(iter(engine.card.files.values()), "")[:12],
            "engine": engine.describe()["engine"],
            "device": engine.device,
            "precision": engine.precision,
            "method": "none" if self.tracker is None else self.method,
            **({} if self.scale is None else {"scale_source": self.scale.source}),
        }
        title = f"{recording} by {engine.card.name}"
        times = np.array(self.milliseconds)
        return write_replay_report(self.out, title, facts, self.record, pictures, times)

    def _keep(self, number: int, picture: tuple[NDArray[np.uint8], str]) -> None:
        """Evenly spread over a recording whose length is not known yet."""
        self._kept[number] = picture
        if len(self._kept) > 2 * _PICTURES:
            self._every *= 2
            self._kept = {n: shown for n, shown in self._kept.items() if n % self._every == 0}
