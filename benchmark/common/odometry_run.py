"""A method of odometry over a recording, frame by frame as the node takes it, and timed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from five_point import FivePoint
from numpy.typing import NDArray

from monodepth_ros.data.frame_times import frame_times, median_step
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.tracker_settings import settings_for_step

PEER = "five-point"


@dataclass
class Run:
    """What a method said of the frames of a recording that have a pose, and the truth beside it.

    A pose that is ``fresh`` was measured anew; at the others the camera was taken to stand still.
    """

    name: str
    poses: list[NDArray[np.float64]] = field(default_factory=list)
    covariances: list[NDArray[np.float64]] = field(default_factory=list)  # none of a peer
    truth: list[NDArray[np.float64] | None] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)  # of frames with a motion
    fallbacks: list[str] = field(default_factory=list)  # why it was not the preferred one
    milliseconds: list[float] = field(default_factory=list)  # by the clock
    cpu_milliseconds: list[float] = field(default_factory=list)  # of this process
    depth_runs: int = 0
    depth_milliseconds: float = 0.0  # of this process

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time what is done with one frame."""
        clock, cpu = time.perf_counter(), time.process_time()
        yield
        self.milliseconds.append(1000 * (time.perf_counter() - clock))
        self.cpu_milliseconds.append(1000 * (time.process_time() - cpu))

    @property
    def has_covariance(self) -> bool:
        return bool(self.covariances)


class CountedDepth:
    """An engine whose runs of the depth network are counted and timed."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.runs, self.milliseconds = 0, 0.0

    def inverse_depth(self, frames: Any) -> Any:
        return self._counted(self._engine.inverse_depth, frames)

    def depth_and_variance(self, frames: Any) -> Any:
        return self._counted(self._engine.depth_and_variance, frames)

    def _counted(self, run: Any, frames: Any) -> Any:
        began = time.process_time()
        found = run(frames)
        self.milliseconds += 1000 * (time.process_time() - began)
        self.runs += 1
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def track(name: str, engine: Any, sequence: Sequence) -> Run:
    """The method ``name`` of the registry in the node's tracker, at default settings."""
    sequence, run = rectified(sequence), Run(name)
    stamps = frame_times(sequence)
    settings, _ = settings_for_step(median_step(stamps))
    counted = CountedDepth(engine)
    tracker = CameraTracker(load_method(name, counted), settings)
    for index, stamp in enumerate(stamps):
        image = sequence.image(index)
        with run.timed():
            tracked = tracker.add(image, sequence.camera, stamp)
        if tracked is None:
            run.events.append("none")
            continue
        run.events.append(tracked.event)
        run.poses.append(tracked.T_world_camera)
        run.covariances.append(tracked.covariance)
        run.truth.append(sequence.pose(index))
        run.fresh.append(tracked.event != "standstill")
        if tracked.motion is not None:
            run.methods.append(tracked.motion.method)
            run.fallbacks.append(tracked.motion.fallback)
    run.depth_runs, run.depth_milliseconds = counted.runs, counted.milliseconds
    return run


def track_peer(sequence: Sequence) -> Run:
    """`five_point.FivePoint` on the grey images at full size, every step of length 1."""
    sequence, run = rectified(sequence), Run(PEER)
    peer, pose = FivePoint(sequence.camera.K), np.eye(4)
    for index in range(len(sequence)):
        image = sequence.image(index)
        with run.timed():
            motion = peer.add(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        if motion is not None:
            pose = pose @ motion
            run.methods.append(PEER)
        run.events.append("start" if motion is None else "motion")
        run.poses.append(pose)
        run.truth.append(sequence.pose(index))
        run.fresh.append(True)
    run.fallbacks = ["too few matches"] * peer.fallbacks
    return run
