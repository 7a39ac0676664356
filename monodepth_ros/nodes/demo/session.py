"""The other side of the nodes in a demo: plays a camera, records, measures, and draws.

Started by ``monodepth demo`` as a process of its own, beside those of the nodes.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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

from monodepth_ros.data.bags.messages.image import decode_depth, nanoseconds
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.bags.transform_tree import matrix_of
from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.robot_frames import base_from_camera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.conversions.odometry import pose_message
from monodepth_ros.nodes.demo.frame_streams import FrameStream, StreamedFrame, open_stream
from monodepth_ros.nodes.demo.metrics import DemoFigures
from monodepth_ros.visualisation.demo_picture import demo_picture
from monodepth_ros.visualisation.picture_file import write_png
from monodepth_ros.visualisation.rerun_recording import RerunRecording, rerun_is_installed

NAMESPACE = "/camera"
RESULTS = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "depth/confidence": Image,
    "depth/points": PointCloud2,
    "odom": Odometry,
}
# In the bag alone, where the input has them: `monodepth replay BAG --depth ... --poses ...`.
TRUE_DEPTH, TRUE_POSE = "ground_truth/depth", "ground_truth/pose"
_SECOND = 1_000_000_000
_START = 120.0  # seconds that the nodes have to come up
_SETTLE = 1.5  # seconds without a result after which nothing more is awaited
_PICTURES = 6
_LATE = _SECOND // 20  # nanoseconds
_AT_ONCE = 8  # messages taken between two images that follow each other without a pause
_AHEAD = 150  # frames read before they are due
_HELD = 100  # frames whose results may still come


@dataclass
class _Held:
    """An image that was sent, and what has come back for it."""

    frame: StreamedFrame
    depth: NDArray[np.float32] | None = None
    confidence: NDArray[np.float32] | None = None
    pose: NDArray[np.float64] | None = None

    @property
    def complete(self) -> bool:
        return not (self.depth is None or self.confidence is None or self.pose is None)


class DemoSession:
    """A camera driver, a recorder and a viewer in one node."""

    def __init__(self, out: Path, bag: BagWriter) -> None:
        self.figures = DemoFigures()
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
        self._held: dict[int, _Held] = {}
        self._chosen: list[_Held] = []
        self._complete = 0
        self._every = 1
        self._heard = time.monotonic()
        self._rerun = RerunRecording(out / "demo.rrd") if rerun_is_installed() else None
        self._begin = 0
        self._unusable = ""  # what a node says that cannot work

    def play(self, stream: FrameStream, seconds: float | None, say: Callable[[str], None]) -> None:
        """Send all frames at their own times, then wait for what is still on its way."""
        self._wait_for_nodes()
        told = 0.0
        for frame in _read_ahead(stream):
            self._begin = self._begin or self._now()
            if seconds is not None and frame.time > seconds * _SECOND:
                break
            due = self._begin + frame.time
            while not stream.live and (left := due - self._now()) > 0:
                self._executor.spin_once(timeout_sec=left / _SECOND)
            late = self._now() - due
            if not stream.live and late > _LATE:  # the disk is slow: the film stops for a moment
                self._begin, due = self._begin + late, due + late
            self._send(frame, self._now() if stream.live else due)
            for _ in range(_AT_ONCE):
                self._executor.spin_once(timeout_sec=0)
            if time.monotonic() > told + 1.0:
                told = time.monotonic()
                say(self.figures.line())
        while time.monotonic() < self._heard + _SETTLE:
            self._executor.spin_once(timeout_sec=0.1)
        say(self.figures.line())

    def draw(self) -> list[Path]:
        """The pictures of some frames, from the first to the last."""
        poses, truth = self.figures.trajectories()
        count = len(self._chosen)
        picked = np.unique(np.linspace(0, count - 1, min(_PICTURES, count), dtype=int))
        paths = []
        for held in (self._chosen[k] for k in picked):
            assert held.depth is not None and held.pose is not None
            inverse = np.linalg.inv(held.pose)
            camera = held.frame.camera.undistorted().resized(*held.depth.shape)
            picture = demo_picture(
                held.frame.rgb,
                held.depth,
                held.confidence,
                camera,
                _seen_from(inverse, poses),
                None if truth is None else _seen_from(inverse, truth),
            )
            paths.append(self._out / "pictures" / f"{held.frame.time / 1e9:06.2f}s.png")
            write_png(paths[-1], picture)
        return paths

    def close(self) -> None:
        """End the recording and the node."""
        if self._rerun is not None:
            self._rerun.close()
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def _now(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _wait_for_nodes(self) -> None:
        """Until both listen to the camera; UserError with what keeps them from it."""
        end = time.monotonic() + _START
        while min(p.get_subscription_count() for p in (self._images, self._infos)) < 2:
            if self._unusable:
                raise UserError(self._unusable)
            if time.monotonic() > end:
                raise UserError(
                    f"the nodes did not come up within {_START:.0f} s: see the logs in {self._out}"
                )
            self._executor.spin_once(timeout_sec=0.05)

    def _send(self, frame: StreamedFrame, stamp: int) -> None:
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(stamp, _SECOND)
        info = info_of_camera(frame.camera, header)
        image = encode_image(frame.rgb, "rgb8", header)
        self._infos.publish(info)
        self._images.publish(image)
        self.figures.add_image(stamp, frame.pose)
        self._held[stamp] = _Held(frame)
        while len(self._held) > _HELD:
            del self._held[next(iter(self._held))]
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
            self._take(topic, message, now)

        return record

    def _take(self, topic: str, message: Any, now: int) -> None:
        if topic == "/diagnostics":
            self._take_diagnostics(message)
            return
        self._heard = time.monotonic()
        stamp = nanoseconds(message.header.stamp)
        held = self._held.get(stamp)
        if held is None:
            return
        seconds = (stamp - self._begin) / _SECOND
        if topic == "depth/image_rect":
            held.depth = decode_depth(message)
            self.figures.add_depth(now, stamp, held.depth, held.frame.depth)
            if self._rerun is not None:
                camera = held.frame.camera.undistorted().resized(*held.depth.shape)
                self._rerun.add_depth(seconds, held.frame.rgb, held.depth, camera)
        elif topic == "depth/confidence":
            held.confidence = decode_depth(message)
        elif topic == "odom":
            held.pose = _camera_pose(message)
            self.figures.add_odometry(now, stamp, held.pose)
            if self._rerun is not None:
                self._rerun.add_pose(seconds, held.pose)
        if held.complete and topic != "depth/points":
            self._choose(held)

    def _take_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._unusable = f"{status.name}: {status.message}"
            values = {pair.key: pair.value for pair in status.values}
            if "images dropped" in values:
                name = status.name.rpartition("/")[2]
                self.figures.dropped[name] = int(values["images dropped"])

    def _choose(self, held: _Held) -> None:
        """Keep evenly spread frames for pictures, however many will come."""
        if self._complete % self._every == 0:
            self._chosen.append(held)
            if len(self._chosen) > 8 * _PICTURES:
                self._chosen, self._every = self._chosen[::2], 2 * self._every
        self._complete += 1


def _read_ahead(stream: FrameStream) -> Iterator[StreamedFrame]:
    """Frames read on a thread, and many before the first is due: no slow disk holds them up."""
    waiting: queue.Queue[StreamedFrame | BaseException | None] = queue.Queue(maxsize=_AHEAD)

    def read() -> None:
        try:
            for frame in stream.frames:
                waiting.put(frame)
            waiting.put(None)
        except BaseException as error:  # handed over to who waits for the frame
            waiting.put(error)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while not stream.live and reader.is_alive() and not waiting.full():
        time.sleep(0.02)
    while (item := waiting.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def ground_truth(frame: StreamedFrame, header: Header) -> dict[str, Any]:
    """Messages of what the input knows of a frame, for the bag alone: no node is told.

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
    """``T_odom_camera`` of a camera that sits at its base and looks forward, as in the demo."""
    pose = odometry.pose.pose
    T_base_camera = base_from_camera(np.zeros(3), np.zeros(3))
    return matrix_of(pose.position, pose.orientation) @ T_base_camera


def _seen_from(inverse: NDArray[np.float64], poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions (N, 3) of poses in the frame of a camera, given its inverse pose."""
    positions = poses[:, :3, 3]
    return np.asarray(positions @ inverse[:3, :3].T + inverse[:3, 3])


def main() -> int:
    """Play one stream into the nodes that run; the figures go to ``figures.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--camera", type=Path)
    parser.add_argument("--field-of-view", type=float)
    parser.add_argument("--fps", type=float)
    arguments = parser.parse_args()
    live = sys.stdout.isatty()

    def say(line: str) -> None:
        print(f"\r\033[K{line}" if live else line, end="" if live else "\n", flush=True)

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        calibration = None if arguments.camera is None else read_calibration(arguments.camera)
        capture = CaptureSettings(calibration, arguments.field_of_view, arguments.fps)
        stream = open_stream(arguments.input, capture)
        print(stream.description, flush=True)
        with BagWriter(arguments.out / "bag") as bag:
            session = DemoSession(arguments.out, bag)
            try:
                session.play(stream, arguments.seconds, say)
            except KeyboardInterrupt:
                pass  # what was recorded so far is kept
            finally:
                session.close()
        if live:
            print()
        for reason, count in stream.left_out.items():
            print(f"{count} left out: {reason}")
        told = {
            "input": stream.description,
            "calibration": "guessed" if stream.guessed else "measured",
            "left_out": dict(stream.left_out),
        }
        summary = {**told, **session.figures.summary()}
        (arguments.out / "figures.json").write_text(json.dumps(summary, indent=1) + "\n")
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
