"""What the nodes of a camera share: life cycle, subscriptions, the worker and diagnostics."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from rclpy.lifecycle import LifecycleState, Publisher, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from monodepth_ros.data.camera_message import is_rectified_topic
from monodepth_ros.data.image_message import nanoseconds
from monodepth_ros.errors import UserError
from monodepth_ros.inference.torch_engine import TorchEngine
from monodepth_ros.nodes.diagnostics import frame_status
from monodepth_ros.nodes.engine_facts import engine_facts
from monodepth_ros.nodes.frame_statistics import FrameStatistics
from monodepth_ros.nodes.latched_topic import LatchedOrLive
from monodepth_ros.nodes.latest_frame_worker import LatestFrameWorker
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.recent_camera_infos import RecentCameraInfos
from monodepth_ros.nodes.rectified_frames import FrameRectifier, RectifiedFrame
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status, reason_of
from monodepth_ros.nodes.scale_source import SCALE_PARAMETERS, ScaleSource

CAMERA_PARAMETERS = (
    ParameterSpec("autostart", True, "configure and activate without being told to"),
    ParameterSpec(
        "model",
        "demo",
        "name or folder of the model; a new one is taken up by `~/reload`",
        read_only=False,
    ),
    ParameterSpec("device", "auto", "of the networks: auto, cpu, cuda or cuda:N"),
    ParameterSpec(
        "engine", "auto", "what runs the networks; auto is the fastest", choices=("auto", "torch")
    ),
    ParameterSpec("precision", "fp32", "of the networks", choices=("fp32", "fp16", "bf16")),
    ParameterSpec("image_transport", "raw", "what the camera sends", choices=("raw", "compressed")),
    ParameterSpec(
        "rectified",
        "auto",
        "images have no distortion, P of camera_info is their camera; auto: those of a topic whose"
        " name ends in `image_rect*`, after remapping",
        choices=("auto", "true", "false"),
    ),
    ParameterSpec(
        "diagnostics_period", 1.0, "seconds between diagnostics", minimum=0.1, maximum=60.0
    ),
    *SCALE_PARAMETERS,
)
_STOP_WITHIN = 1.5  # seconds that the frame under way has to end
_LOG_AGAIN = 1.0  # seconds between two lines in the log


class Loaded(Protocol):
    """All that hangs on one model."""

    @property
    def engine(self) -> TorchEngine:
        """What runs the model's networks."""


class CameraNode(ReportingNode):
    """Hands the newest image to a worker of its own, so that the executor never waits for it.

    A node of a camera says what it loads and publishes, when there is work, and what is done with a
    frame: `load`, `open`, `wanted`, `process`, and where they are needed `close` and `facts`.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        self.loaded: Any = None  # what `load` gave, of the node's own type; None while unconfigured
        self.scale: ScaleSource | None = None
        self._frames: FrameRectifier | None = None
        self._statistics = FrameStatistics()
        self._recent_infos = RecentCameraInfos()
        self._infos: LatchedOrLive | None = None
        self._worker: LatestFrameWorker[Image | CompressedImage] | None = None
        self._dropped = 0  # by workers of earlier activities
        self._asked = object()  # of the newest call for a model, so that an outdated one is let go
        self._of_activity: list[Any] = []  # subscriptions that only an active node has
        self._results: dict[str, Publisher] = {}
        self._logged = -_LOG_AGAIN
        super().__init__(name, (*CAMERA_PARAMETERS, *parameters), **options)
        self.answers("reload", self._load_anew, self._take_up)

    # What a node of a camera is made of.

    @abstractmethod
    def load(self) -> Loaded:
        """Load the model and what hangs on it. UserError with the reason where it cannot be."""

    @abstractmethod
    def open(self) -> None:
        """Create what the node publishes, and listens to besides the camera. UserError likewise."""

    def close(self) -> None:  # noqa: B027 - most nodes have nothing to undo
        """Undo `open`, but for what `publishes` has created; also where it was never called."""

    @abstractmethod
    def wanted(self) -> bool:
        """Whether there is any work to do for the next image."""

    @abstractmethod
    def process(self, frame: RectifiedFrame) -> bool:
        """Publish what follows from one image; whether anything did. On the worker's thread."""

    def facts(self) -> dict[str, str]:
        """What diagnostics say besides rates, latencies, the model and the scale."""
        return {}

    def publishes(self, kind: type, topic: str) -> None:
        """Publish ``topic`` while the node is active, reliably, which serves every subscriber."""
        self._results[topic] = self.create_lifecycle_publisher(
            kind,
            topic,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def publish(self, topic: str, message: Any) -> None:
        """Send a message, unless it is ``None``."""
        if message is not None:
            self._results[topic].publish(message)

    def listened(self, topic: str) -> bool:
        """Whether anybody subscribes to one of this node's topics."""
        return bool(self._results[topic].get_subscription_count() > 0)

    def listens(self, kind: type, topic: str, callback: Any) -> None:
        """Subscribe to the newest of a sensor's ``topic``, until the node is deactivated."""
        self._of_activity.append(
            self.create_subscription(
                kind,
                topic,
                callback,
                QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )

    def trouble(self, reason: str) -> None:
        """Count a frame that came to nothing; log why, at most once a second."""
        now = time.monotonic()
        self._statistics.failed(now, reason)
        if now >= self._logged + _LOG_AGAIN:
            self._logged = now
            self.get_logger().error(reason)

    # The life of a node.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; fails with the reason where it cannot be."""
        self._asked = object()
        self._use(self.load())
        self.scale = ScaleSource(self)
        self.open()
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera."""
        if self._worker is not None and not self._worker.stop(0.0):
            return self.cannot(
                "cannot activate: the last frame of the former activity is not finished"
            )
        self._worker = LatestFrameWorker(self._work_on, self._on_error)
        compressed = self.value("image_transport") == "compressed"
        topic = "image_raw/compressed" if compressed else "image_raw"
        self._frames = self._rectifier_of(self.resolve_topic_name(topic))
        self.listens(CompressedImage if compressed else Image, topic, self._on_image)
        self._infos = LatchedOrLive(self, CameraInfo, "camera_info", self._recent_infos.add)
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, and let the frame under way end."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the model's memory back."""
        self._stop()
        self._give_back()
        return SUCCESS

    def destroy_node(self) -> None:
        """Stop the worker before what it publishes with is gone."""
        self._stop()
        super().destroy_node()

    def _stop(self) -> None:
        for subscription in self._of_activity:
            self.destroy_subscription(subscription)
        self._of_activity = []
        if self._infos is not None:
            self._infos.close()
            self._infos = None
        if self._worker is not None:
            if self._worker.stop(_STOP_WITHIN):
                self._dropped += self._worker.dropped
                self._worker = None
            else:
                self.get_logger().warning("the frame under way is not finished")

    def _give_back(self) -> None:
        self._asked = object()
        self.close()
        for publisher in self._results.values():
            self.destroy_lifecycle_publisher(publisher)
        if self.scale is not None:
            self.scale.close()
        self._recent_infos.clear()
        self._results, self.scale, self.loaded = {}, None, None

    def _use(self, loaded: Loaded) -> None:
        """Work with ``loaded`` from now on. What was measured of the scale was another model's."""
        self.loaded = loaded
        if self.scale is not None:
            self.scale.restart()
        card = loaded.engine.card
        device = loaded.engine.device
        self.get_logger().info(f"model {card.name} ({card.architecture}, {card.scale}) on {device}")

    def _load_anew(self) -> tuple[object, Loaded]:
        """What the parameter names now; the former model works until it is there."""
        if not self._results:
            raise UserError("the node is not configured: configuring it loads the model")
        asked = self._asked = object()
        return asked, self.load()

    def _take_up(self, found: tuple[object, Loaded]) -> str:
        asked, loaded = found
        if asked is not self._asked:
            raise UserError("the node was configured anew, cleaned up or reloaded meanwhile")
        self._use(loaded)
        return f"model {self.value('model')} is in use"

    def _rectifier_of(self, topic: str) -> FrameRectifier:
        asked = str(self.value("rectified")).lower()
        rectified = is_rectified_topic(topic) if asked == "auto" else asked == "true"
        if rectified and asked == "auto":
            self.get_logger().info(
                f"{topic} is rectified by its name: P of camera_info is its camera"
            )
        return FrameRectifier(topic, rectified, self._say)

    def _say(self, text: str) -> None:
        self.get_logger().warning(text)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.arrived(time.monotonic())
        if self._worker is not None and self.wanted():
            self._statistics.offered(time.monotonic())
            self._worker.offer(message)

    def _work_on(self, message: Image | CompressedImage) -> None:
        """On the worker's thread."""
        assert self._frames is not None
        info = self._recent_infos.of(nanoseconds(message.header.stamp))
        if self.process(self._frames.frame(message, info)):
            taken = Time.from_msg(message.header.stamp, self.get_clock().clock_type)
            latency = (self.get_clock().now() - taken).nanoseconds * 1e-9
            self._statistics.published(time.monotonic(), latency)

    def _on_error(self, error: Exception) -> None:
        self.trouble(reason_of(error))

    def status(self) -> Status:
        """Rates and latencies, the model and its scale."""
        dropped = self._dropped + (0 if self._worker is None else self._worker.dropped)
        figures = self._statistics.figures(time.monotonic(), dropped)
        if self.loaded is None or self.scale is None:
            return frame_status(figures, {})
        engine = self.loaded.engine
        scale = self.scale.facts(engine.card.scale)
        facts = {**engine_facts(engine), **scale, **self.facts()}
        return frame_status(figures, facts, self.scale.waits_for)
