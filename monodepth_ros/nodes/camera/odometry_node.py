"""`odometry_node`: estimates the motion of the robot that carries the camera."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker, TrackedPose
from monodepth_ros.inference.odometry.motion_account import MotionAccount
from monodepth_ros.inference.odometry.registry import DEFAULT, load_method, method_class
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.nodes.camera.camera_node import CameraNode, LoadedModel
from monodepth_ros.nodes.camera.camera_stream import CameraStream, FrameInWork
from monodepth_ros.nodes.camera.mounting import Mounting
from monodepth_ros.nodes.camera.odometry_parameters import ODOMETRY_PARAMETERS, TRACKER_PARAMETERS
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.conversions.odometry import BaseOdometry, transform_message
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.nodes.frame_statistics import WINDOW
from monodepth_ros.nodes.reporting_node import LOG_PERIOD

_PATH_PERIOD = 0.5  # seconds; publishing a long path takes longer than tracking an image
_DEPTH_PERIOD = 5  # images between two depth estimates for the scale source
_BY_DEPTH = ("camera_height", "odometry", "points")  # scale sources that need depth


_RESTARTED = (
    "the clock or the camera changed: odom continues from its last pose; the motion meanwhile is"
    " unknown and not in odom"
)


@dataclass(frozen=True)
class _LoadedModel(LoadedModel):
    method: str
    tracker: CameraTracker
    depth: DepthEstimator | None  # for scale sources that need it


class OdometryNode(CameraNode):
    """Integrates the camera's motions to poses of the robot's base."""

    def __init__(self, **options: Any) -> None:
        self._mounting: Mounting | None = None
        self._base: BaseOdometry | None = None
        self._broadcaster: Any = None
        self._restart_requested = False  # by the executor, for the worker
        self._events: dict[str, int] = {}
        self._motions = MotionAccount()
        self._frames_since_depth = 0
        self._optical_frame = ""
        self._tracker: CameraTracker | None = None  # of the last image
        self._path_due = 0.0
        self._restarted_at = -WINDOW
        super().__init__("odometry_node", ODOMETRY_PARAMETERS, **options)
        self._path: deque[PoseStamped] = deque(maxlen=self.value("path_length"))
        self.offer_service("reset", self._reset)

    def load(self) -> _LoadedModel:
        """Load the networks that the method of motion and the scale source need."""
        settings = TrackerSettings(**{s.name: self.value(s.name) for s in TRACKER_PARAMETERS})
        method, depth = self._method(), None
        networks = set(method_class(method).networks)
        if self.value("scale_source") in _BY_DEPTH:
            networks.add("depth")
        engine = self.load_engine(*sorted(networks))
        if self.value("scale_source") in _BY_DEPTH:
            depth = DepthEstimator(engine, output_size="network")
        tracker = CameraTracker(load_method(method, engine), settings)
        return _LoadedModel(engine, method, tracker, depth)

    def _method(self) -> str:
        """The method of motion that is asked for, also by its former parameter."""
        method = str(self.value("method"))
        if not self.value("refine"):
            return method
        if method not in (DEFAULT, "refined"):
            raise UserError(f"refine is method: refined, which is not method: {method}")
        self.get_logger().warning("parameter refine: write method: refined instead")
        return "refined"

    def open(self) -> None:
        """Create the outputs and the source of the camera's mounting."""
        self._mounting = Mounting(self)
        if self.value("publish_tf"):
            try:
                from tf2_ros import TransformBroadcaster
            except ImportError:
                raise UserError("publish_tf: tf2_ros is not installed") from None
            self._broadcaster = TransformBroadcaster(self)
        for kind, topic in ((Odometry, "odom"), (Path, "path")):
            self.streams[0].create_output(kind, topic)

    def close(self) -> None:
        """Undo `open`."""
        if self._mounting is not None:
            self._mounting.close()
        if self._broadcaster is not None:
            # TransformBroadcaster has no method for that.
            self.destroy_publisher(self._broadcaster.pub_tf)
        self._mounting = self._base = self._broadcaster = self._tracker = None

    def has_work(self, stream: CameraStream) -> bool:
        """Always: a motion that is not measured is missing in all later poses."""
        return True

    def process(self, loaded: _LoadedModel, frames: Sequence[FrameInWork]) -> None:
        """Track the camera's image."""
        for work in frames:
            work.finish(self._process(loaded, work.scale, work.frame))

    def _process(self, loaded: _LoadedModel, scale: ScaleSource, frame: RectifiedFrame) -> str:
        """Track one image and publish the pose of the base, or return why not."""
        mounting = self._mounting
        assert mounting is not None
        T_base_camera = mounting.T_base_camera(frame.header)
        if T_base_camera is None:
            return mounting.unavailable_reason
        base = self._base_of(frame.header.frame_id, T_base_camera)
        image = network_input(loaded.engine, frame.rgb, frame.camera)
        self._update_scale_by_depth(loaded, scale, image, frame)
        factor = scale.factor
        tracked = self._track(loaded.tracker, image, frame, factor)
        if tracked is None:
            self._count("skipped")
            return f"every image is skipped: {loaded.tracker.skip_reason}"
        self._note(tracked)
        if tracked.event == "motion":
            scale.add_motion(tracked.since, tracked.stamp, tracked.distance)
        base.update_mounting(T_base_camera, tracked)
        if factor is None:
            return scale.unavailable_reason
        self._publish(base.message(tracked, frame.header.stamp))
        return ""

    def facts(self) -> dict[str, str]:
        """Values in diagnostics: the source of the mounting, counts of events and methods."""
        events = {f"frames: {name}": str(count) for name, count in sorted(self._events.items())}
        mounting, tracker = self._mounting, self._tracker
        facts = {"mounting": "unknown" if mounting is None else mounting.source}
        if mounting is not None and mounting.late:
            facts["images received before their TF"] = str(mounting.late)
        facts["restarts"] = str(0 if tracker is None else tracker.restarts)
        if self.active_model is not None:
            facts["method"] = self.active_model.loaded.method
        return {**facts, **events, **self._motions.facts()}

    def warnings(self) -> list[str]:
        """Warnings in diagnostics: a fallback of the mounting, and motions that odom misses."""
        warnings = [self._mounting.warning] if self._mounting and self._mounting.warning else []
        if time.monotonic() < self._restarted_at + WINDOW:
            warnings += [_RESTARTED]
        return warnings

    def _track(
        self,
        tracker: CameraTracker,
        image: NetworkInput,
        frame: RectifiedFrame,
        factor: float | None,
    ) -> TrackedPose | None:
        """Odometry starts when the scale is known: earlier poses could not be corrected later."""
        if self._tracker is not None and tracker is not self._tracker:
            tracker.continue_from(self._tracker)  # after a reload, odom does not jump
        self._tracker = tracker
        if self._restart_requested:
            self._restart_requested = False
            tracker.reset()
        return tracker.add(image, frame.camera, frame.stamp, factor, frame.segment)

    def _base_of(self, optical_frame: str, T_base_camera: NDArray[np.float64]) -> BaseOdometry:
        """The robot's base; it continues from its pose when the images get another frame_id."""
        if self._base is None:
            self._base = BaseOdometry(self.value("odom_frame"), self.value("base_frame"))
        elif optical_frame != self._optical_frame and self._tracker is not None:
            self._tracker.switch_camera(self._base.change_camera(T_base_camera))
        self._optical_frame = optical_frame
        return self._base

    def _update_scale_by_depth(
        self, loaded: _LoadedModel, scale: ScaleSource, image: NetworkInput, frame: RectifiedFrame
    ) -> None:
        if loaded.depth is None:
            return
        if scale.factor is None or self._frames_since_depth % _DEPTH_PERIOD == 0:
            scale.add_frame(frame, loaded.depth.estimate(image, frame.camera))
        elif scale.needs_frames:
            scale.add_frame(frame, None)
        self._frames_since_depth += 1

    def _note(self, tracked: TrackedPose) -> None:
        """Count the event of an image and its method, and log gaps and starts."""
        self._count(tracked.event)
        if tracked.motion is not None:
            self._motions.add(tracked.motion)
        seconds = (tracked.stamp - tracked.since) * 1e-9
        why = f"no image for {seconds:.1f} s"
        if tracked.motion is not None:
            why = tracked.motion.fallback
        if tracked.event == "gap":
            self.get_logger().warning(
                f"{why}: the motion meanwhile is unknown and not in odom",
                throttle_duration_sec=LOG_PERIOD,
            )
        elif tracked.event == "bridge":
            self.get_logger().warning(
                f"{why}: the last velocity was extrapolated", throttle_duration_sec=LOG_PERIOD
            )
        elif tracked.event == "restart":
            self._restarted_at = time.monotonic()
        elif tracked.event == "start":
            self._path.clear()
            self.get_logger().info("odometry starts here")

    def _count(self, event: str) -> None:
        self._events = {**self._events, event: self._events.get(event, 0) + 1}

    def _publish(self, odometry: Odometry) -> None:
        self.streams[0].publish("odom", odometry)
        if self._broadcaster is not None:
            self._broadcaster.sendTransform(transform_message(odometry))
        self._path.append(PoseStamped(header=odometry.header, pose=odometry.pose.pose))
        if self.streams[0].has_subscribers("path") and time.monotonic() >= self._path_due:
            self._path_due = time.monotonic() + _PATH_PERIOD
            self.streams[0].publish("path", Path(header=odometry.header, poses=list(self._path)))

    def _reset(self) -> str:
        if self.active_model is None:
            raise UserError("no model is loaded")
        self._restart_requested = True
        return "odometry restarts at the next image"
