"""What the nodes of a camera share: life cycle, subscriptions, the worker and diagnostics."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import torch
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, Publisher, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from monodepth_ros.data.bags.messages.camera import is_rectified_topic
from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.torch import TorchEngine
from monodepth_ros.nodes.camera.engine_facts import engine_facts, identity
from monodepth_ros.nodes.camera.image_times import ImageTimes, TimedImage
from monodepth_ros.nodes.camera.latest_frame_worker import LatestFrameWorker
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.camera.recent_camera_infos import RecentCameraInfos
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.camera.speed_topic import publishers_of
from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier, RectifiedFrame
from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER, frame_status
from monodepth_ros.nodes.frame_statistics import FrameStatistics
from monodepth_ros.nodes.latched_topic import LatchedOrLive
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.reporting_node import (
    LOG_PERIOD,
    SUCCESS,
    ReportingNode,
    Status,
    reason_of,
)

_FORGOTTEN = 60.0  # seconds without a trouble after which the log says it again
_REMEMBERED = 32  # troubles
_STOP_WITHIN = 1.5  # seconds that the frame under way has to end


class Loaded(Protocol):
    """All that hangs on one model."""

    @property
    def engine(self) -> TorchEngine:
        """What runs the model's networks."""


@dataclass(frozen=True)
class InUse:
    """What works on a frame. One under way keeps both to its end, whatever is loaded meanwhile."""

    loaded: Any  # what `load` gave, of the node's own type
    scale: ScaleSource


class CameraNode(ReportingNode):
    """Hands the newest image to a worker of its own, so that the executor never waits for it.

    A node of a camera says what it loads and publishes, when there is work, and what is done with a
    frame: `load`, `open`, `wanted`, `process`, and where they are needed `close`, `facts` and
    `notices`.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        self.in_use: InUse | None = None  # while the node is configured
        self._frames: FrameRectifier | None = None
        self._statistics = FrameStatistics()
        self._recent_infos = RecentCameraInfos()
        self._infos: LatchedOrLive | None = None
        self._times: ImageTimes | None = None  # while the node is configured
        self._worker: LatestFrameWorker[TimedImage] | None = None
        self._dropped = 0  # by workers of earlier activities
        self._asked = object()  # of the newest call for a model, so that an outdated one is let go
        self._images: Any = None  # the subscription, while the node is active
        self._results: dict[str, Publisher] = {}
        self._logged = -LOG_PERIOD
        self._said: dict[str, float] = {}  # what the log has, and when there was reason for it last
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
    def process(self, loaded: Any, scale: ScaleSource, frame: RectifiedFrame) -> str:
        """Publish what follows from one image; else why nothing does. On the worker's thread."""

    def facts(self) -> dict[str, str]:
        """What diagnostics say besides rates, latencies, the model and the scale."""
        return {}

    def notices(self) -> list[str]:
        """What diagnostics warn of while all goes well otherwise."""
        return []

    def publishes(self, kind: type, topic: str) -> None:
        """Publish ``topic`` while the node is active, reliably, which serves every subscriber."""
        self._results[topic] = self.create_lifecycle_publisher(
            kind,
            topic,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def publish(self, topic: str, message: Any) -> None:
        """Send a message, unless it is ``None`` or comes after the node was cleaned up."""
        publisher = self._results.get(topic)
        if message is not None and publisher is not None:
            publisher.publish(message)

    def listened(self, topic: str) -> bool:
        """Whether anybody subscribes to one of this node's topics."""
        return bool(self._results[topic].get_subscription_count() > 0)

    def trouble(self, reason: str) -> None:
        """Count a frame that came to nothing; log why, unless the log has it."""
        now = time.monotonic()
        self._statistics.failed(now, reason)
        if now >= self._logged + LOG_PERIOD and self._is_news(reason):
            self._logged = now
            self.get_logger().error(reason)

    # The life of a node.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; fails with the reason where it cannot be."""
        self._asked = object()
        if self.value("threads"):
            torch.set_num_threads(self.value("threads"))
            cv2.setNumThreads(self.value("threads"))
        loaded = self.load()
        self._times = ImageTimes(self.resolve_topic_name(self._image_topic), self._now, self._say)
        self._use(InUse(loaded, ScaleSource(self, identity(loaded.engine))))
        self.open()
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera."""
        if self._worker is not None and not self._worker.stop(0.0):
            return self.cannot(
                "cannot activate: the last frame of the former activity is not finished"
            )
        self._statistics.began(time.monotonic())
        self._worker = LatestFrameWorker(self._work_on, self._on_error)
        self._frames = self._rectifier_of(self.resolve_topic_name(self._image_topic))
        self._images = self.create_subscription(
            self._image_type,
            self._image_topic,
            self._on_image,
            QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
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
        if self._images is not None:
            self.destroy_subscription(self._images)
            self._images = None
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
        try:
            self.close()
        finally:
            for publisher in self._results.values():
                self.destroy_lifecycle_publisher(publisher)
            if self.in_use is not None:
                self.in_use.scale.close()
            self._recent_infos.clear()
            self._results, self.in_use, self._times = {}, None, None

    def _use(self, new: InUse) -> None:
        """Work with ``new`` from the next frame on."""
        former, self.in_use = self.in_use, new
        if former is not None and former.scale is not new.scale:
            former.scale.close()
        engine = new.loaded.engine
        card = engine.card
        self.get_logger().info(
            f"model {card.name} ({card.architecture}, {card.scale}) on {engine.device}"
        )

    # Another model in mid-stream.

    def _load_anew(self) -> tuple[object, Loaded]:
        """What the parameter names now; the former model works until it is there."""
        if not self._results or self.in_use is None:
            raise UserError("the node is not configured: configuring it loads the model")
        asked = self._asked = object()
        former, loaded = identity(self.in_use.loaded.engine), self.load()
        if self.value("scale_source") == "fixed" and identity(loaded.engine) != former:
            raise UserError(
                f"scale_factor is of the model {former}, and not of {identity(loaded.engine)}:"
                " set both, and configure the node anew"
            )
        return asked, loaded

    def _take_up(self, found: tuple[object, Loaded]) -> str:
        asked, loaded = found
        if asked is not self._asked or self.in_use is None:
            raise UserError("the node was configured anew, cleaned up or reloaded meanwhile")
        former = self.in_use
        model = identity(loaded.engine)
        same = identity(former.loaded.engine) == model
        scale = former.scale if same else ScaleSource(self, model, first=False)
        self._use(InUse(loaded, scale))
        return f"model {self.value('model')} is in use"

    # Frame after frame.

    @property
    def _image_type(self) -> type:
        return CompressedImage if self.value("image_transport") == "compressed" else Image

    @property
    def _image_topic(self) -> str:
        return "image_raw" if self._image_type is Image else "image_raw/compressed"

    def _now(self) -> int:
        """Nanoseconds of the node's clock."""
        return int(self.get_clock().now().nanoseconds)

    def _rectifier_of(self, topic: str) -> FrameRectifier:
        asked = str(self.value("rectified")).lower()
        rectified = is_rectified_topic(topic) if asked == "auto" else asked == "true"
        if rectified and asked == "auto":
            self.get_logger().info(
                f"{topic} is rectified by its name: P of camera_info is its camera"
            )
        return FrameRectifier(topic, rectified, self._say)

    def _say(self, text: str) -> None:
        self._is_news(text)  # which diagnostics' warning of it is not any more
        self.get_logger().warning(text)

    def _on_image(self, message: Image | CompressedImage) -> None:
        wanted = self._worker is not None and self.wanted()
        self._statistics.arrived(time.monotonic(), wanted)
        if self.in_use is None or self._times is None:
            return
        images, why_not = self._times.add(message)
        if why_not:
            self._statistics.withheld(f"every image is left out: {why_not}", counted=False)
        for image in images:
            self.in_use.scale.note_image(nanoseconds(image.message.header.stamp))
            if wanted and self._worker is not None:
                self._worker.offer(image)

    def _work_on(self, image: TimedImage) -> None:
        """On the worker's thread."""
        in_use, frames, message = self.in_use, self._frames, image.message
        if in_use is None or frames is None:
            return
        info = self._recent_infos.of(nanoseconds(message.header.stamp))
        if info is None:
            whence = self._whence(self._infos, CameraInfo)
            self._statistics.withheld(f"no camera_info has come yet{whence}")
            return
        frame = replace(frames.frame(message, info), stretch=image.stretch)
        withheld = self.process(in_use.loaded, in_use.scale, frame)
        if withheld:
            self._statistics.withheld(withheld, counted=withheld != NO_SUBSCRIBER)
            return
        taken = Time.from_msg(message.header.stamp, self.get_clock().clock_type)
        latency = (self.get_clock().now() - taken).nanoseconds * 1e-9
        self._statistics.published(time.monotonic(), latency)

    def _on_error(self, error: Exception) -> None:
        self.trouble(reason_of(error))

    # Diagnostics.

    def status(self) -> Status:
        """Rates and latencies, the model and its scale."""
        dropped = self._dropped + (0 if self._worker is None else self._worker.dropped)
        figures = self._statistics.figures(time.monotonic(), dropped)
        facts, waits_for, notices = {}, "", self.notices()
        if self._times is not None:
            notices += self._times.notices
        if self.in_use is not None:
            engine, scale = self.in_use.loaded.engine, self.in_use.scale
            facts = {**engine_facts(engine), **scale.facts(engine.card.scale), **self.facts()}
            facts |= {} if self._times is None else self._times.facts()
            waits_for = scale.waits_for
        awaited = self._whence(self._images, self._image_type)
        level, message, values = frame_status(figures, facts, waits_for, notices, awaited)
        if not self.is_active:
            return DiagnosticStatus.OK, "not active", values
        if level == DiagnosticStatus.OK and not any(map(self.listened, self._results)):
            message = message if message == NO_SUBSCRIBER else f"{message}, {NO_SUBSCRIBER}"
        if level == DiagnosticStatus.WARN and self._is_news(message):
            self.get_logger().warning(message)
        return level, message, values

    def _whence(self, subscription: Any, kind: type) -> str:
        """Where what is missing should come from, and whether somebody publishes there."""
        if subscription is None:
            return ""
        topic = subscription.topic_name
        return f" on {topic}{publishers_of(self, topic, kind)}"

    def _is_news(self, text: str) -> bool:
        """Whether the log has not had it, and goes on without it: by its end, whatever numbers."""
        cause, now = re.sub(r"[\d.]+", "", text.rpartition(": ")[2]), time.monotonic()
        last = self._said.pop(cause, -_FORGOTTEN)
        self._said[cause] = now
        if len(self._said) > _REMEMBERED:
            self._said.pop(next(iter(self._said)), None)
        return now >= last + _FORGOTTEN
