"""One camera of a node: its topics in and out, its stamps and calibration, its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from monodepth_ros.data.bags.messages.camera import is_rectified_topic
from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.errors import reason_of
from monodepth_ros.nodes.camera.image_times import ImageTimes
from monodepth_ros.nodes.camera.problem_log import ProblemLog
from monodepth_ros.nodes.camera.recent_camera_infos import RecentCameraInfos
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.camera.speed_topic import describe_publishers
from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier, RectifiedFrame
from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER, frame_status
from monodepth_ros.nodes.frame_statistics import FrameStatistics
from monodepth_ros.nodes.latched_topic import AnyDurabilitySubscription
from monodepth_ros.nodes.reporting_node import ReportingNode, Status
from monodepth_ros.stamps import TimedMessage


class CameraStream:
    """The images of one camera on their way through a node, and what is known about them.

    The topics of a camera with a ``name`` lie in the namespace of that name, seen from the node's.
    """

    def __init__(self, node: ReportingNode, name: str = "") -> None:
        self.name, self._node = name, node
        self.statistics = FrameStatistics()
        self.infos = RecentCameraInfos()
        self._log = ProblemLog(node.get_logger(), name)
        self._times: ImageTimes | None = None  # while the node is configured
        self._rectifier: FrameRectifier | None = None
        # Subscriptions, while the node is active.
        self._images: Any = None
        self._info_topic: AnyDurabilitySubscription | None = None
        self._outputs: dict[str, Publisher] = {}

    def topic(self, name: str) -> str:
        """A topic of this camera, relative to the node's namespace."""
        return f"{self.name}/{name}" if self.name else name

    # Outputs.

    def create_output(self, kind: type, topic: str) -> None:
        """Create a publisher that is active while the node is; reliable serves every subscriber."""
        self._outputs[topic] = self._node.create_lifecycle_publisher(
            kind,
            self.topic(topic),
            QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def publish(self, topic: str, message: Any) -> None:
        """Publish a message, unless the node has been cleaned up."""
        publisher = self._outputs.get(topic)
        if publisher is not None:
            publisher.publish(message)

    def has_subscribers(self, topic: str) -> bool:
        """Whether one of the outputs has subscribers."""
        return bool(self._outputs[topic].get_subscription_count() > 0)

    # Lifecycle.

    def configure(self) -> None:
        """Begin to judge the stamps of a new stream."""
        topic = self._node.resolve_topic_name(self._image_topic)
        self._times = ImageTimes(topic, self._now, self._log.warn)

    def subscribe(self, on_image: Callable[[CameraStream, Any], None]) -> None:
        """Pass the messages of the camera to ``on_image``."""
        self.statistics.start(time.monotonic())
        self._rectifier = self._rectifier_of(self._node.resolve_topic_name(self._image_topic))
        self._images = self._node.create_subscription(
            self._image_type,
            self._image_topic,
            lambda message: on_image(self, message),
            QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._info_topic = AnyDurabilitySubscription(
            self._node, CameraInfo, self.topic("camera_info"), self.infos.add
        )

    def unsubscribe(self) -> None:
        """Undo `subscribe`."""
        if self._images is not None:
            self._node.destroy_subscription(self._images)
            self._images = None
        if self._info_topic is not None:
            self._info_topic.close()
            self._info_topic = None

    def release(self) -> None:
        """Destroy the outputs, and forget what is known of the camera."""
        for publisher in self._outputs.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self.infos.clear()
        self._outputs, self._times = {}, None

    # Images.

    def accept(self, message: Image | CompressedImage, has_work: bool) -> list[TimedMessage[Any]]:
        """Count an image; returns those that can be used now, in the order of their stamps."""
        self.statistics.add_image(time.monotonic(), has_work)
        if self._times is None:
            return []
        images, reason = self._times.add(message)
        if reason:
            self.statistics.add_withheld(f"every image is left out: {reason}", counted=False)
        return images

    def frame(self, image: TimedMessage[Any]) -> RectifiedFrame | None:
        """The decoded and rectified image; None, which is counted, before the first camera_info."""
        message, rectifier = image.item, self._rectifier
        assert rectifier is not None
        info = self.infos.find(nanoseconds(message.header.stamp))
        if info is None:
            source = self._describe_source(self._info_topic, CameraInfo)
            self.statistics.add_withheld(f"no camera_info received yet{source}")
            return None
        return replace(rectifier.frame(message, info), segment=image.segment)

    def finish(self, frame: RectifiedFrame, withheld: str) -> None:
        """Count a frame that was published, or ``withheld`` for a reason."""
        if withheld:
            self.statistics.add_withheld(withheld, counted=withheld != NO_SUBSCRIBER)
            return
        clock = self._node.get_clock()
        taken = Time.from_msg(frame.header.stamp, clock.clock_type)
        latency = (clock.now() - taken).nanoseconds * 1e-9
        self.statistics.add_result(time.monotonic(), latency)

    def fail(self, error: Exception) -> None:
        """Count a frame that failed, and log the reason."""
        reason = reason_of(error)
        self.statistics.add_failure(time.monotonic(), reason)
        self._log.error_once(reason)

    @property
    def _image_type(self) -> type:
        return CompressedImage if self._node.value("image_transport") == "compressed" else Image

    @property
    def _image_topic(self) -> str:
        return self.topic("image_raw" if self._image_type is Image else "image_raw/compressed")

    def _now(self) -> int:
        """Time of the node's clock in nanoseconds."""
        return int(self._node.get_clock().now().nanoseconds)

    def _rectifier_of(self, topic: str) -> FrameRectifier:
        setting = str(self._node.value("rectified")).lower()
        rectified = is_rectified_topic(topic) if setting == "auto" else setting == "true"
        if rectified and setting == "auto":
            self._log.info(
                f"{topic} is rectified by its name: P of camera_info is its camera matrix"
            )
        return FrameRectifier(topic, rectified, self._log.warn)

    # Diagnostics.

    def status(
        self,
        scale: ScaleSource | None,
        card_scale: str,
        facts: Mapping[str, str],
        warnings: Sequence[str],
    ) -> Status:
        """Rates, latencies, stamps and the scale, besides ``facts`` and ``warnings`` of the node.

        ``scale`` is None while no model is loaded; ``card_scale`` is that of the model card.
        """
        facts, warnings, unavailable_reason = dict(facts), list(warnings), ""
        if self._times is not None:
            facts |= self._times.facts()
            warnings += self._times.warnings
        if scale is not None:
            facts = {**scale.facts(card_scale), **facts}
            unavailable_reason = scale.unavailable_reason
        level, message, values = frame_status(
            self.statistics.metrics(time.monotonic()),
            facts,
            unavailable_reason,
            warnings,
            self._describe_source(self._images, self._image_type),
        )
        if not self._node.is_active:
            return DiagnosticStatus.OK, "not active", values
        if level == DiagnosticStatus.OK and not any(map(self.has_subscribers, self._outputs)):
            message = message if message == NO_SUBSCRIBER else f"{message}, {NO_SUBSCRIBER}"
        if level == DiagnosticStatus.WARN:
            self._log.warn_once(message)
        return level, message, values

    def _describe_source(self, subscription: Any, kind: type) -> str:
        """The topic of a subscription and who publishes it, for a message that is missing."""
        if subscription is None:
            return ""
        topic = subscription.topic_name
        return f" on {topic}{describe_publishers(self._node, topic, kind)}"


class FrameInWork:
    """A frame and the scale that it began with. It is counted once: published, withheld, failed."""

    def __init__(self, stream: CameraStream, scale: ScaleSource, frame: RectifiedFrame) -> None:
        self.stream, self.scale, self.frame = stream, scale, frame
        self._counted = False

    def finish(self, withheld: str = "") -> None:
        """It was published, or ``withheld`` for a reason."""
        self._counted = True
        self.stream.finish(self.frame, withheld)

    def fail(self, error: Exception) -> None:
        """It failed, unless it was counted before."""
        if not self._counted:
            self._counted = True
            self.stream.fail(error)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """An exception fails this frame alone, not those that are processed with it."""
        try:
            yield
        except Exception as error:
            self.fail(error)
