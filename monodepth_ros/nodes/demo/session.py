"""The session of a demo: publishes images, records, measures and draws the results.

``monodepth demo`` starts it as a process of its own, beside those of the nodes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.data.bags.messages.image import decode_depth, nanoseconds
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.bags.transform_tree import matrix_of
from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.motion_account import MOTIONS
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.conversions.odometry import pose_message
from monodepth_ros.nodes.demo.frame_streams import FrameStream, open_stream, read_ahead
from monodepth_ros.nodes.demo.metrics import DemoMetrics
from monodepth_ros.nodes.demo.pictures import DemoPictures, SentFrame
from monodepth_ros.stamps import SECOND
from monodepth_ros.visualisation.rerun_recording import RerunRecording, rerun_is_installed

NAMESPACE = "/camera"
RESULTS = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "depth/confidence": Image,
    "depth/points": PointCloud2,
    "odom": Odometry,
}
# Only in the bag, if the input has them: `monodepth replay BAG --depth ... --poses ...`.
TRUE_DEPTH, TRUE_POSE = "ground_truth/depth", "ground_truth/pose"
_START_TIMEOUT = 120.0  # seconds in which the nodes have to start
_RESULT_TIMEOUT = 1.5  # seconds without a result after which the session ends
_MAX_DELAY = SECOND // 20  # nanoseconds; a later image delays all that follow
_MAX_CALLBACKS = 8  # messages received between two images without a pause
_MAX_SENT_FRAMES = 100  # frames whose results may still arrive


class DemoSession:
    """A camera driver, a recorder and a viewer in one node."""

    def __init__(self, out: Path, bag: BagWriter) -> None:
        self.metrics = DemoMetrics()
        self._out, self._bag = out, bag
        self._node = rclpy.create_node("demo_session", namespace=NAMESPACE)
        # Not rclpy's global one: that may outlive its context.
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._images = self._node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
        self._infos = self._node.create_publisher(
            CameraInfo, "camera_info", qos_profile_sensor_data
        )
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        for topic, kind in {**RESULTS, "/diagnostics": DiagnosticArray}.items():
            self._node.create_subscription(
                kind, topic, self._recorder(topic, kind), reliable, raw=True
            )
        self._sent_frames: dict[int, SentFrame] = {}
        self._pictures = DemoPictures()
        self._last_result_at = time.monotonic()
        self._rerun = RerunRecording(out / "demo.rrd") if rerun_is_installed() else None
        self._begin = 0
        self._node_error = ""  # the last ERROR in the nodes' diagnostics

    def play(self, stream: FrameStream, seconds: float | None, show: Callable[[str], None]) -> None:
        """Publish all frames at their own times, then wait for the last results."""
        self._wait_for_nodes()
        shown_at = 0.0
        for frame in read_ahead(stream):
            self._begin = self._begin or self._now()
            if seconds is not None and frame.stamp > seconds * SECOND:
                break
            due = self._begin + frame.stamp
            while not stream.live and (left := due - self._now()) > 0:
                self._executor.spin_once(timeout_sec=left / SECOND)
            late = self._now() - due
            if not stream.live and late > _MAX_DELAY:  # the disk is slow
                self._begin, due = self._begin + late, due + late
            self._send(frame, self._now() if stream.live else due)
            for _ in range(_MAX_CALLBACKS):
                self._executor.spin_once(timeout_sec=0)
            if time.monotonic() > shown_at + 1.0:
                shown_at = time.monotonic()
                show(self.metrics.line())
        while time.monotonic() < self._last_result_at + _RESULT_TIMEOUT:
            self._executor.spin_once(timeout_sec=0.1)
        show(self.metrics.line())

    def draw(self) -> list[Path]:
        """Save pictures of some frames; returns their paths."""
        return self._pictures.draw(self._out / "pictures", *self.metrics.trajectories())

    def close(self) -> None:
        """End the recording and the node."""
        if self._rerun is not None:
            self._rerun.close()
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _wait_for_nodes(self) -> None:
        """Wait until both nodes subscribe to the camera; UserError if they do not."""
        end = time.monotonic() + _START_TIMEOUT
        while min(p.get_subscription_count() for p in (self._images, self._infos)) < 2:
            if self._node_error:
                raise UserError(self._node_error)
            if time.monotonic() > end:
                raise UserError(
                    f"the nodes did not start within {_START_TIMEOUT:.0f} s: see the logs in"
                    f" {self._out}"
                )
            self._executor.spin_once(timeout_sec=0.05)

    def _send(self, frame: RecordedFrame, stamp: int) -> None:
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, SECOND)
        info = info_of_camera(frame.camera, header)
        image = encode_image(frame.rgb, "rgb8", header)
        self._infos.publish(info)
        self._images.publish(image)
        self.metrics.add_image(stamp, frame.pose)
        self._sent_frames[stamp] = SentFrame(frame)
        while len(self._sent_frames) > _MAX_SENT_FRAMES:
            del self._sent_frames[next(iter(self._sent_frames))]
        recorded = {"camera_info": info, "image_raw": image, **ground_truth(frame, header)}
        for topic, message in recorded.items():
            self._record(topic, message, serialize_message(message))

    def _record(self, topic: str, message: Any, data: bytes) -> None:
        package = type(message).__module__.partition(".")[0]
        self._bag.write(
            topic if topic.startswith("/") else f"{NAMESPACE}/{topic}",
            f"{package}/msg/{type(message).__name__}",
            self._now(),
            data,
        )

    def _recorder(self, topic: str, kind: type) -> Callable[[bytes], None]:
        def record(data: bytes) -> None:
            now = self._now()
            message: Any = deserialize_message(data, kind)
            self._record(topic, message, data)
            self._on_message(topic, message, now)

        return record

    def _on_message(self, topic: str, message: Any, now: int) -> None:
        if topic == "/diagnostics":
            self._on_diagnostics(message)
            return
        self._last_result_at = time.monotonic()
        stamp = nanoseconds(message.header.stamp)
        sent = self._sent_frames.get(stamp)
        if sent is None:
            return
        seconds = (stamp - self._begin) / SECOND
        if topic == "depth/image_rect":
            sent.depth = decode_depth(message)
            self.metrics.add_depth(now, stamp, sent.depth, sent.frame.depth)
            if self._rerun is not None:
                camera = sent.frame.camera.undistorted().resized(*sent.depth.shape)
                self._rerun.add_depth(seconds, sent.frame.rgb, sent.depth, camera)
        elif topic == "depth/confidence":
            sent.confidence = decode_depth(message)
        elif topic == "odom":
            sent.pose = _camera_pose(message)
            self.metrics.add_odometry(now, stamp, sent.pose)
            if self._rerun is not None:
                self._rerun.add_pose(seconds, sent.pose)
        if sent.complete and topic != "depth/points":
            self._pictures.add(sent)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._node_error = f"{status.name}: {status.message}"
            values = {pair.key: pair.value for pair in status.values}
            if "images dropped" in values:
                name = status.name.rpartition("/")[2]
                self.metrics.dropped[name] = int(values["images dropped"])
            for key, value in values.items():
                if key.startswith(MOTIONS):
                    self.metrics.motions[key.removeprefix(MOTIONS)] = int(value)


def ground_truth(frame: RecordedFrame, header: Header) -> dict[str, Any]:
    """Ground-truth messages of a frame, for the bag only: they are not published.

    Depth as the camera sees it, distortion included, and the pose of the camera's optical frame.
    """
    messages: dict[str, Any] = {}
    if frame.depth is not None:
        messages[TRUE_DEPTH] = encode_depth(frame.depth, "32FC1", header)
    if frame.pose is not None:
        world = Header(stamp=header.stamp, frame_id="world")
        messages[TRUE_POSE] = PoseStamped(header=world, pose=pose_message(frame.pose))
    return messages


def _camera_pose(odometry: Odometry) -> NDArray[np.float64]:
    """``T_odom_camera`` of a camera at the base that looks forward, as in the demo."""
    pose = odometry.pose.pose
    T_base_camera = base_from_camera(np.zeros(3), np.zeros(3))
    return matrix_of(pose.position, pose.orientation) @ T_base_camera


def main() -> int:
    """Play one stream into the running nodes; writes the metrics to ``figures.json``.

    The argument is JSON: ``input``, ``out``, ``seconds`` and the options of ``capture``.
    """
    request = json.loads(sys.argv[1])
    out, (camera, field_of_view, fps) = Path(request["out"]), request["capture"]
    live = sys.stdout.isatty()

    def show(line: str) -> None:
        print(f"\r\033[K{line}" if live else line, end="" if live else "\n", flush=True)

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        calibration = None if camera is None else read_calibration(Path(camera))
        stream = open_stream(request["input"], CaptureSettings(calibration, field_of_view, fps))
        print(stream.description, flush=True)
        with BagWriter(out / "bag") as bag:
            session = DemoSession(out, bag)
            try:
                session.play(stream, request["seconds"], show)
            except KeyboardInterrupt:
                pass  # what was recorded so far is kept
            finally:
                session.close()
        if live:
            print()
        for reason, count in stream.left_out.items():
            print(f"{count} left out: {reason}")
        description = {
            "input": stream.description,
            "calibration": "guessed" if stream.guessed else "measured",
            "left_out": dict(stream.left_out),
        }
        summary = {**description, **session.metrics.summary()}
        (out / "figures.json").write_text(json.dumps(summary, indent=1) + "\n")
        for path in session.draw():
            print(path)
    except UserError as error:
        print(f"monodepth: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
