"""`odometry_node`: camera images in; the robot's motion out."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from numpy.typing import NDArray
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError
from monodepth_ros.inference.camera_tracker import CameraTracker, TrackedPose
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.torch import TorchEngine
from monodepth_ros.inference.motion_estimator import MotionEstimator
from monodepth_ros.inference.tracker_settings import TrackerSettings
from monodepth_ros.nodes.camera.camera_node import CameraNode
from monodepth_ros.nodes.camera.mounting import Mounting
from monodepth_ros.nodes.camera.odometry_parameters import ODOMETRY_PARAMETERS, TRACKER_PARAMETERS
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.conversions.odometry import BaseOdometry, stamped_pose, transform_message
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.nodes.frame_statistics import WINDOW
from monodepth_ros.nodes.reporting_node import LOG_PERIOD
from monodepth_ros.nodes.spinning import run_node

_PATH_PERIOD = 0.5  # seconds; a long path takes longer to send than an image to track
_DEPTH_EVERY = 5  # images between two looks at the ground, where the scale hangs on it


_RESTARTED = (
    "another clock or another camera: odom goes on from where it was; the motion meanwhile is"
    " unknown, and is not in odom"
)


@dataclass(frozen=True)
class _Loaded:
    """All that hangs on one model."""

    tracker: CameraTracker
    depth: DepthEstimator | None  # sees the ground, where the scale comes from the camera's height

    @property
    def engine(self) -> TorchEngine:
        return self.tracker.estimator.engine


class OdometryNode(CameraNode):
    """Chains the camera's motions into poses of the robot's base."""

    def __init__(self, **options: Any) -> None:
        self._mounting: Mounting | None = None
        self._base: BaseOdometry | None = None
        self._broadcaster: Any = None
        self._restart = False  # asked for on the executor, done by the worker
        self._events: dict[str, int] = {}
        self._looked = 0
        self._optical_frame = ""
        self._tracker: CameraTracker | None = None  # that has worked on the last image
        self._path_due = 0.0
        self._restarted_at = -WINDOW
        super().__init__("odometry_node", ODOMETRY_PARAMETERS, **options)
        self._path: deque[PoseStamped] = deque(maxlen=self.value("path_length"))
        self.create_service(Trigger, "~/reset", self._reset)

    def load(self) -> _Loaded:
        """Load the pose network, and the depth network if the scale needs it."""
        settings = TrackerSettings(**{s.name: self.value(s.name) for s in TRACKER_PARAMETERS})
        motion = MotionEstimator(
            self.value("model"),
            self.value("device"),
            precision=self.value("precision"),
            refine=self.value("refine"),
        )
        depth = None
        if self.value("scale_source") == "camera_height":
            depth = DepthEstimator(motion.engine, output_size="network")
        return _Loaded(CameraTracker(motion, settings), depth)

    def open(self) -> None:
        """Publish odometry, and listen to where the mounting comes from."""
        self._mounting = Mounting(self)
        if self.value("publish_tf"):
            self._broadcaster = _tf_broadcaster(self)
        self.publishes(Odometry, "odom")
        self.publishes(Path, "path")

    def close(self) -> None:
        """Undo `open`."""
        if self._mounting is not None:
            self._mounting.close()
        if self._broadcaster is not None:
            self.destroy_publisher(self._broadcaster.pub_tf)  # it does not do so itself
        self._mounting = self._base = self._broadcaster = self._tracker = None

    def wanted(self) -> bool:
        """Always: a motion that nobody looked at is lost for good."""
        return True

    def process(self, loaded: _Loaded, scale: ScaleSource, frame: RectifiedFrame) -> str:
        """Track one image and publish where the base is now."""
        mounting = self._mounting
        assert mounting is not None
        T_base_camera = mounting.T_base_camera(frame.header)
        if T_base_camera is None:
            return mounting.waits_for
        base = self._base_of(frame.header.frame_id, T_base_camera)
        self._look_at_ground(loaded, scale, frame)
        factor = scale.factor
        tracked = self._track(loaded.tracker, frame, factor)
        if tracked is None:
            self._count("passed over")
            return f"every image is passed over: {loaded.tracker.passed_over}"
        self._note(tracked)
        if tracked.event == "motion":
            scale.add_motion(tracked.since, tracked.stamp, tracked.distance)
        base.mount(T_base_camera, tracked)
        if factor is None:
            return scale.waits_for
        self._publish(base.message(tracked, frame.header.stamp))
        return ""

    def facts(self) -> dict[str, str]:
        """Where the mounting comes from, and what became of the images."""
        events = {f"frames: {name}": str(count) for name, count in sorted(self._events.items())}
        mounting, tracker = self._mounting, self._tracker
        facts = {"mounting": "unknown" if mounting is None else mounting.source}
        if mounting is not None and mounting.late:
            facts["images before their mounting's TF"] = str(mounting.late)
        return {**facts, "restarts": str(0 if tracker is None else tracker.restarts), **events}

    def notices(self) -> list[str]:
        """A mounting that was fallen back to, and motions that are not in odom."""
        notices = [self._mounting.notice] if self._mounting and self._mounting.notice else []
        if time.monotonic() < self._restarted_at + WINDOW:
            notices += [_RESTARTED]
        return notices

    def _track(
        self, tracker: CameraTracker, frame: RectifiedFrame, factor: float | None
    ) -> TrackedPose | None:
        """Odometry begins where metres are known: what came before could not be corrected later."""
        if self._tracker is not None and tracker is not self._tracker:
            tracker.continue_from(self._tracker)  # another model: odom does not jump
        self._tracker = tracker
        if self._restart:
            self._restart = False
            tracker.reset()
        return tracker.add(frame.rgb, frame.camera, frame.stamp, factor, frame.stretch)

    def _base_of(self, optical_frame: str, T_base_camera: NDArray[np.float64]) -> BaseOdometry:
        """The robot's base, which goes on from where it is when the images get another frame."""
        if self._base is None:
            self._base = BaseOdometry(self.value("odom_frame"), self.value("base_frame"))
        elif optical_frame != self._optical_frame and self._tracker is not None:
            self._tracker.go_over_to(self._base.exchange(T_base_camera))
        self._optical_frame = optical_frame
        return self._base

    def _look_at_ground(self, loaded: _Loaded, scale: ScaleSource, frame: RectifiedFrame) -> None:
        if loaded.depth is None:
            return
        if scale.factor is None or self._looked % _DEPTH_EVERY == 0:
            seen = loaded.depth.estimate(frame.rgb, frame.camera)
            assert seen.camera is not None
            scale.add_depth(seen.depth, seen.camera)
        self._looked += 1

    def _note(self, tracked: TrackedPose) -> None:
        """Count what became of an image; a gap or a new start is said, too."""
        self._count(tracked.event)
        seconds = (tracked.stamp - tracked.since) * 1e-9
        if tracked.event == "gap":
            self.get_logger().warning(
                f"no image for {seconds:.1f} s: the motion meanwhile is unknown,"
                " and is not in odom",
                throttle_duration_sec=LOG_PERIOD,
            )
        elif tracked.event == "bridge":
            self.get_logger().warning(
                f"no image for {seconds:.1f} s: bridged by the last velocity",
                throttle_duration_sec=LOG_PERIOD,
            )
        elif tracked.event == "restart":
            self._restarted_at = time.monotonic()
        elif tracked.event == "start":
            self._path.clear()
            self.get_logger().info("odometry starts here")

    def _count(self, event: str) -> None:
        self._events = {**self._events, event: self._events.get(event, 0) + 1}

    def _publish(self, odometry: Odometry) -> None:
        self.publish("odom", odometry)
        if self._broadcaster is not None:
            self._broadcaster.sendTransform(transform_message(odometry))
        self._path.append(stamped_pose(odometry))
        if self.listened("path") and time.monotonic() >= self._path_due:
            self._path_due = time.monotonic() + _PATH_PERIOD
            self.publish("path", Path(header=odometry.header, poses=list(self._path)))

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Make the next image the new start."""
        if self.in_use is None:
            response.success, response.message = False, "no model is loaded"
            return response
        self._restart = True
        response.success, response.message = True, "the next image is the new start"
        return response


def _tf_broadcaster(node: OdometryNode) -> Any:
    """UserError where tf2_ros is not installed."""
    try:
        from tf2_ros import TransformBroadcaster
    except ImportError:
        raise UserError("publish_tf: tf2_ros is not installed") from None
    return TransformBroadcaster(node)


def main() -> None:
    """Entry point of the ``odometry_node`` executable."""
    sys.exit(run_node(OdometryNode))
