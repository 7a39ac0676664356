"""`depth_node`: camera images in; depth images, their camera_info, clouds and previews out."""

from __future__ import annotations

import sys
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode, LifecycleState, Publisher, TransitionCallbackReturn
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.nodes.depth_pipeline import DepthMessages, DepthPipeline, OutputSettings, Wanted
from monodepth_ros.nodes.diagnostics import diagnostics
from monodepth_ros.nodes.frame_statistics import FrameStatistics
from monodepth_ros.nodes.latest_frame_worker import LatestFrameWorker
from monodepth_ros.nodes.parameters import ParameterSpec, declare_parameters
from monodepth_ros.nodes.spinning import run_node

PARAMETERS = (
    ParameterSpec("autostart", True, "configure and activate without being told to"),
    ParameterSpec("model", "demo", "name or folder of the model"),
    ParameterSpec("device", "auto", "auto, cpu, cuda or cuda:N"),
    ParameterSpec("precision", "fp32", "of the network", choices=("fp32", "fp16", "bf16")),
    ParameterSpec("image_transport", "raw", "what the camera sends", choices=("raw", "compressed")),
    ParameterSpec(
        "output_size", "network", "size of the depth image", choices=("network", "image")
    ),
    ParameterSpec(
        "depth_encoding",
        "32FC1",
        "metres as floats, or millimetres as 16 bits",
        choices=("32FC1", "16UC1"),
    ),
    ParameterSpec("points_stride", 1, "a point for every n-th pixel", minimum=1, maximum=32),
    ParameterSpec("points_colour", True, "points have the image's colours"),
    ParameterSpec(
        "diagnostics_period", 1.0, "seconds between diagnostics", minimum=0.1, maximum=60.0
    ),
)
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_STOP_WITHIN = 1.5  # seconds that the frame under way has to end


class DepthNode(LifecycleNode):
    """Estimates the depth of the newest image, whenever somebody listens to it."""

    def __init__(self, **options: Any) -> None:
        super().__init__("depth_node", **options)
        self._statistics = FrameStatistics()
        self._info: CameraInfo | None = None
        self._pipeline: DepthPipeline | None = None
        self._worker: LatestFrameWorker[Image | CompressedImage] | None = None
        self._subscriptions_of_camera: list[Any] = []
        self._results: dict[str, Publisher] = {}
        self._last_reported = ""
        declare_parameters(self, PARAMETERS)
        # Not bound to the node's state: one that could not be configured tells why.
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(self._value("diagnostics_period"), self._report)
        if self._value("autostart"):
            self._autostart = self.create_timer(0.0, self._start_by_itself)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model; fails with the reason where it cannot be."""
        try:
            estimator = DepthEstimator(
                self._value("model"),
                self._value("device"),
                precision=self._value("precision"),
                output_size=self._value("output_size"),
            )
        except UserError as error:
            self._fail(f"cannot configure: {error}")
            return _FAILURE
        settings = OutputSettings(
            self._value("depth_encoding"),
            self._value("points_stride"),
            self._value("points_colour"),
        )
        self._pipeline = DepthPipeline(estimator, settings)
        kinds = {
            "depth/image_rect": Image,
            "depth/camera_info": CameraInfo,
            "depth/points": PointCloud2,
            "depth/preview": Image,
        }
        reliable = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._results = {
            topic: self.create_lifecycle_publisher(
                kind,
                topic,
                reliable,
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
            for topic, kind in kinds.items()
        }
        card = estimator.card
        self.get_logger().info(
            f"model {card.name} ({card.architecture}, {card.scale}) on {estimator.engine.device}"
        )
        return _SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the camera."""
        self._worker = LatestFrameWorker(self._work_on, self._on_error)
        compressed = self._value("image_transport") == "compressed"
        overridable = QoSOverridingOptions.with_default_policies()
        newest = QoSProfile(depth=1, reliability=qos_profile_sensor_data.reliability)
        self._subscriptions_of_camera = [
            self.create_subscription(
                CompressedImage if compressed else Image,
                "image_raw/compressed" if compressed else "image_raw",
                self._on_image,
                newest,
                qos_overriding_options=overridable,
            ),
            self.create_subscription(
                CameraInfo,
                "camera_info",
                self._on_camera_info,
                newest,
                qos_overriding_options=overridable,
            ),
        ]
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop listening, and let the frame under way end."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the model's memory back."""
        self._stop()
        for publisher in self._results.values():
            self.destroy_publisher(publisher)
        self._results, self._pipeline, self._info = {}, None, None
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleaning up."""
        return self.on_cleanup(state)

    def destroy_node(self) -> None:
        """Stop the worker before what it publishes with is gone."""
        self._stop()
        super().destroy_node()

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == _SUCCESS:
            self.trigger_activate()

    def _stop(self) -> None:
        for subscription in self._subscriptions_of_camera:
            self.destroy_subscription(subscription)
        self._subscriptions_of_camera = []
        if self._worker is not None:
            if not self._worker.stop(_STOP_WITHIN):
                self.get_logger().warning("the frame under way is not finished")
            self._worker = None

    def _on_camera_info(self, info: CameraInfo) -> None:
        self._info = info

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.arrived(time.monotonic())
        if self._worker is not None and self._wanted().anything:
            self._worker.offer(message)

    def _wanted(self) -> Wanted:
        listened = {topic: p.get_subscription_count() > 0 for topic, p in self._results.items()}
        return Wanted(
            depth=listened["depth/image_rect"] or listened["depth/camera_info"],
            points=listened["depth/points"],
            preview=listened["depth/preview"],
        )

    def _work_on(self, message: Image | CompressedImage) -> None:
        """On the worker's thread."""
        if self._info is None:
            raise UserError("no camera_info has come yet")
        assert self._pipeline is not None
        results = self._pipeline.process(message, self._info, self._wanted())
        self._publish(results)
        taken = Time.from_msg(message.header.stamp, self.get_clock().clock_type)
        latency = (self.get_clock().now() - taken).nanoseconds * 1e-9
        self._statistics.published(time.monotonic(), latency)

    def _publish(self, results: DepthMessages) -> None:
        self._results["depth/camera_info"].publish(results.camera_info)
        for topic, message in (
            ("depth/image_rect", results.depth),
            ("depth/points", results.points),
            ("depth/preview", results.preview),
        ):
            if message is not None:
                self._results[topic].publish(message)

    def _on_error(self, error: Exception) -> None:
        reason = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        """Count it, and log it once until the reason changes: a camera sends 30 a second."""
        self._statistics.failed(reason)
        if reason != self._last_reported:
            self._last_reported = reason
            self.get_logger().error(reason)

    def _report(self) -> None:
        dropped = 0 if self._worker is None else self._worker.dropped
        facts = {}
        if self._pipeline is not None:
            estimator = self._pipeline.estimator
            card = estimator.card
            facts = {
                "model": card.name,
                "model hash": next(iter(card.files.values()), "")[:12],
                "engine": "torch",
                "device": str(estimator.engine.device),
                "precision": estimator.engine.precision,
                "scale": card.scale,
            }
        figures = self._statistics.figures(time.monotonic(), dropped)
        stamp = self.get_clock().now().to_msg()
        name = self.get_fully_qualified_name().lstrip("/")
        self._diagnostics.publish(diagnostics(name, name, figures, facts, stamp))

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def main() -> None:
    """Entry point of the ``depth_node`` executable."""
    sys.exit(run_node(DepthNode))
