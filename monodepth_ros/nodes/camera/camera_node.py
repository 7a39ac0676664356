"""The base of the camera nodes: lifecycle, subscriptions, the worker and diagnostics."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, Publisher, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from monodepth_ros.data.bags.messages.camera import is_rectified_topic
from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.errors import UserError, reason_of
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.nodes.camera.image_times import ImageTimes
from monodepth_ros.nodes.camera.latest_frame_worker import LatestFrameWorker
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.camera.recent_camera_infos import RecentCameraInfos
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.camera.speed_topic import describe_publishers
from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier, RectifiedFrame
from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER, frame_status
from monodepth_ros.nodes.frame_statistics import FrameStatistics
from monodepth_ros.nodes.latched_topic import AnyDurabilitySubscription
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.reporting_node import LOG_PERIOD, SUCCESS, ReportingNode, Status
from monodepth_ros.stamps import TimedMessage

_REPEAT_AFTER = 60.0  # seconds without a problem after which it is logged again
_MAX_CAUSES = 32  # problems that are remembered
_STOP_TIMEOUT = 1.5  # seconds in which the current frame has to be finished


@dataclass(frozen=True)
class LoadedModel:
    """Everything that belongs to one model; a node adds what it makes of the engine."""

    engine: Engine


@dataclass(frozen=True)
class ActiveModel:
    """A model and its scale. A frame keeps both until it is finished, also after a reload."""

    loaded: Any  # the result of `load`, of the node's own type
    scale: ScaleSource


class CameraNode(ReportingNode):
    """Passes the newest image to a worker thread, so that the executor never waits for a network.

    A camera node implements `load` (the model), `open` (its topics), `has_work` (whether an image
    must be processed), `process` (a frame), and if needed `close`, `facts` and `warnings`.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        self.active_model: ActiveModel | None = None  # while the node is configured
        self._frames: FrameRectifier | None = None
        self._statistics = FrameStatistics()
        self._recent_infos = RecentCameraInfos()
        self._infos: AnyDurabilitySubscription | None = None
        self._times: ImageTimes | None = None  # while the node is configured
        self._worker: LatestFrameWorker[TimedMessage[Any]] | None = None
        self._dropped = 0  # by the workers before this one
        self._load_request = object()  # the newest one: older ones are abandoned
        self._images: Any = None  # the subscription, while the node is active
        self._results: dict[str, Publisher] = {}
        self._logged_at = -LOG_PERIOD
        self._warned_at: dict[str, float] = {}  # when each problem was last seen
        super().__init__(name, (*CAMERA_PARAMETERS, *parameters), **options)
        self.offer_service("reload", self._load_requested_model, self._switch_model)

    # What a camera node implements and uses.

    @abstractmethod
    def load(self) -> LoadedModel:
        """Load the model. UserError with the reason where that is impossible."""

    @abstractmethod
    def open(self) -> None:
        """Create the outputs, and inputs other than the camera. UserError if impossible."""

    def load_engine(self) -> Engine:
        """The model and the engine that the parameters name; for `load`."""
        model, engine, device, precision, threads = map(
            self.value, ("model", "engine", "device", "precision", "threads")
        )
        loaded = load_engine(model, engine, device, precision, threads=threads)
        if loaded.card.ambiguity == "scale_and_shift" and self.value("scale_source") != "none":
            raise UserError(
                f"model {loaded.card.name} gives depth up to scale and shift: no factor makes"
                " metres of it; set scale_source to none"
            )
        return loaded

    def close(self) -> None:  # noqa: B027 - most nodes have nothing to undo
        """Undo `open`, but for the outputs; must also work when `open` was not called."""

    @abstractmethod
    def has_work(self) -> bool:
        """Whether the next image has to be processed."""

    @abstractmethod
    def process(self, loaded: Any, scale: ScaleSource, frame: RectifiedFrame) -> str:
        """Publish the results of an image, or return why not. Called on the worker's thread."""

    def facts(self) -> dict[str, str]:
        """Values in diagnostics besides rates, latencies, the model and the scale."""
        return {}

    def warnings(self) -> list[str]:
        """Warnings in diagnostics while images are processed."""
        return []

    def create_output(self, kind: type, topic: str) -> None:
        """Create a publisher that is active while the node is; reliable serves every subscriber."""
        self._results[topic] = self.create_lifecycle_publisher(
            kind,
            topic,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def publish(self, topic: str, message: Any) -> None:
        """Publish a message, unless the node has been cleaned up."""
        publisher = self._results.get(topic)
        if publisher is not None:
            publisher.publish(message)

    def has_subscribers(self, topic: str) -> bool:
        """Whether one of this node's outputs has subscribers."""
        return bool(self._results[topic].get_subscription_count() > 0)

    def _on_error(self, error: Exception) -> None:
        """Count a frame that failed, and log the reason unless it was logged lately."""
        now, reason = time.monotonic(), reason_of(error)
        self._statistics.add_failure(now, reason)
        if now >= self._logged_at + LOG_PERIOD and self._is_new_warning(reason):
            self._logged_at = now
            self.get_logger().error(reason)

    # Lifecycle.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the outputs; fails with the reason."""
        self._load_request = object()
        if self.value("threads"):
            cv2.setNumThreads(self.value("threads"))
        loaded = self.load()
        self._times = ImageTimes(self.resolve_topic_name(self._image_topic), self._now, self._warn)
        self._activate(ActiveModel(loaded, ScaleSource(self, identity(loaded.engine))))
        self.open()
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the camera and start the worker."""
        if self._worker is not None and not self._worker.stop(0.0):
            raise UserError("the last frame before deactivation is not finished")
        self._statistics.start(time.monotonic())
        self._worker = LatestFrameWorker(self._work_on, self._on_error)
        self._frames = self._rectifier_of(self.resolve_topic_name(self._image_topic))
        self._images = self.create_subscription(
            self._image_type,
            self._image_topic,
            self._on_image,
            QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._infos = AnyDurabilitySubscription(
            self, CameraInfo, "camera_info", self._recent_infos.add
        )
        return super().on_activate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the outputs."""
        self.stop()
        self._load_request = object()
        try:
            self.close()
        finally:
            for publisher in self._results.values():
                self.destroy_lifecycle_publisher(publisher)
            if self.active_model is not None:
                self.active_model.scale.close()
            self._recent_infos.clear()
            self._results, self.active_model, self._times = {}, None, None
        return SUCCESS

    def stop(self) -> None:
        """Unsubscribe and let the current frame finish."""
        if self._images is not None:
            self.destroy_subscription(self._images)
            self._images = None
        if self._infos is not None:
            self._infos.close()
            self._infos = None
        if self._worker is not None:
            if self._worker.stop(_STOP_TIMEOUT):
                self._dropped += self._worker.dropped
                self._worker = None
            else:
                self.get_logger().warning("the current frame is not finished")

    def _activate(self, new: ActiveModel) -> None:
        """Use ``new`` from the next frame on."""
        former, self.active_model = self.active_model, new
        if former is not None and former.scale is not new.scale:
            former.scale.close()
        engine = new.loaded.engine
        card = engine.card
        self.get_logger().info(
            f"model {card.name} ({card.architecture}, {card.scale}) on {engine.device}"
        )

    # Reload.

    def _load_requested_model(self) -> tuple[object, LoadedModel]:
        """Load the model of the parameter `model`; the former one is used until it is loaded."""
        if not self._results or self.active_model is None:
            raise UserError("the node is not configured; configure it to load the model")
        request = self._load_request = object()
        former, loaded = identity(self.active_model.loaded.engine), self.load()
        if self.value("scale_source") == "fixed" and identity(loaded.engine) != former:
            raise UserError(
                f"scale_factor belongs to the model {former}, not to {identity(loaded.engine)}:"
                " set both and configure the node again"
            )
        return request, loaded

    def _switch_model(self, result: tuple[object, LoadedModel]) -> str:
        request, loaded = result
        if request is not self._load_request or self.active_model is None:
            raise UserError("the node was configured, cleaned up or reloaded meanwhile")
        former = self.active_model
        model = identity(loaded.engine)
        same = identity(former.loaded.engine) == model
        scale = former.scale if same else ScaleSource(self, model, first=False)
        self._activate(ActiveModel(loaded, scale))
        return f"model {self.value('model')} is in use"

    # Images.

    @property
    def _image_type(self) -> type:
        return CompressedImage if self.value("image_transport") == "compressed" else Image

    @property
    def _image_topic(self) -> str:
        return "image_raw" if self._image_type is Image else "image_raw/compressed"

    def _now(self) -> int:
        """Time of the node's clock in nanoseconds."""
        return int(self.get_clock().now().nanoseconds)

    def _rectifier_of(self, topic: str) -> FrameRectifier:
        setting = str(self.value("rectified")).lower()
        rectified = is_rectified_topic(topic) if setting == "auto" else setting == "true"
        if rectified and setting == "auto":
            self.get_logger().info(
                f"{topic} is rectified by its name: P of camera_info is its camera matrix"
            )
        return FrameRectifier(topic, rectified, self._warn)

    def _warn(self, text: str) -> None:
        self._is_new_warning(text)  # so that diagnostics do not log it again
        self.get_logger().warning(text)

    def _on_image(self, message: Image | CompressedImage) -> None:
        has_work = self._worker is not None and self.has_work()
        self._statistics.add_image(time.monotonic(), has_work)
        if self.active_model is None or self._times is None:
            return
        images, reason = self._times.add(message)
        if reason:
            self._statistics.add_withheld(f"every image is left out: {reason}", counted=False)
        for image in images:
            self.active_model.scale.set_image_stamp(nanoseconds(image.item.header.stamp))
            if has_work and self._worker is not None:
                self._worker.offer(image)

    def _work_on(self, image: TimedMessage[Any]) -> None:
        """Process one image, on the worker's thread."""
        active_model, frames, message = self.active_model, self._frames, image.item
        if active_model is None or frames is None:
            return
        info = self._recent_infos.find(nanoseconds(message.header.stamp))
        if info is None:
            source = self._describe_source(self._infos, CameraInfo)
            self._statistics.add_withheld(f"no camera_info received yet{source}")
            return
        frame = replace(frames.frame(message, info), segment=image.segment)
        withheld = self.process(active_model.loaded, active_model.scale, frame)
        if withheld:
            self._statistics.add_withheld(withheld, counted=withheld != NO_SUBSCRIBER)
            return
        taken = Time.from_msg(message.header.stamp, self.get_clock().clock_type)
        latency = (self.get_clock().now() - taken).nanoseconds * 1e-9
        self._statistics.add_result(time.monotonic(), latency)

    # Diagnostics.

    def status(self) -> Status:
        """Rates, latencies, the model and its scale."""
        dropped = self._dropped + (0 if self._worker is None else self._worker.dropped)
        metrics = self._statistics.metrics(time.monotonic(), dropped)
        facts, unavailable_reason, warnings = {}, "", self.warnings()
        if self._times is not None:
            warnings += self._times.warnings
        if self.active_model is not None:
            engine, scale = self.active_model.loaded.engine, self.active_model.scale
            facts = {
                "model": engine.card.name,
                "model hash": _short_hash(engine),
                **engine.describe(),
                **scale.facts(engine.card.scale),
                **self.facts(),
            }
            facts |= {} if self._times is None else self._times.facts()
            unavailable_reason = scale.unavailable_reason
        image_source = self._describe_source(self._images, self._image_type)
        level, message, values = frame_status(
            metrics, facts, unavailable_reason, warnings, image_source
        )
        if not self.is_active:
            return DiagnosticStatus.OK, "not active", values
        if level == DiagnosticStatus.OK and not any(map(self.has_subscribers, self._results)):
            message = message if message == NO_SUBSCRIBER else f"{message}, {NO_SUBSCRIBER}"
        if level == DiagnosticStatus.WARN and self._is_new_warning(message):
            self.get_logger().warning(message)
        return level, message, values

    def _describe_source(self, subscription: Any, kind: type) -> str:
        """The topic of a subscription and who publishes it, for a message that is missing."""
        if subscription is None:
            return ""
        topic = subscription.topic_name
        return f" on {topic}{describe_publishers(self, topic, kind)}"

    def _is_new_warning(self, text: str) -> bool:
        """Whether the log has no such warning of the last minute; numbers in it do not matter."""
        cause, now = re.sub(r"[\d.]+", "", text.rpartition(": ")[2]), time.monotonic()
        last = self._warned_at.pop(cause, -_REPEAT_AFTER)
        self._warned_at[cause] = now
        if len(self._warned_at) > _MAX_CAUSES:
            self._warned_at.pop(next(iter(self._warned_at)), None)
        return now >= last + _REPEAT_AFTER


def identity(engine: Engine) -> str:
    """Name and hash of a model; each model has its own unit of depth."""
    return f"{engine.card.name} ({_short_hash(engine)})"


def _short_hash(engine: Engine) -> str:
    return "+".join(sha256[:12] for sha256 in engine.card.files.values())
