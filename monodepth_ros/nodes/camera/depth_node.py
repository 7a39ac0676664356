"""`depth_node`: estimates depth images, their camera_info, point clouds and previews."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from monodepth_ros.inference.camera_tracker import CameraTracker
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.motion_estimator import MotionEstimator
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.nodes.camera.camera_node import CameraNode, LoadedModel
from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
from monodepth_ros.nodes.camera.scale_source import ScaleSource
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER
from monodepth_ros.nodes.parameters import ParameterSpec

DEPTH_PARAMETERS = (
    ParameterSpec(
        "output_size",
        "network",
        "size of the depth image: that of the network's input or that of the camera image",
        choices=("network", "image"),
    ),
    ParameterSpec(
        "depth_encoding",
        "32FC1",
        "encoding of the depth image: float metres, or 16-bit millimetres (up to 65.5 m)",
        read_only=False,
        choices=("32FC1", "16UC1"),
    ),
    ParameterSpec(
        "points_stride",
        1,
        "one point per N x N pixels of the depth image",
        read_only=False,
        bounds=(1, 32),
    ),
    ParameterSpec(
        "points_colour", True, "points carry the colours of the image (field rgb)", read_only=False
    ),
)
TOPICS = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "depth/points": PointCloud2,
    "depth/confidence": Image,
    "depth/preview": Image,
}


@dataclass(frozen=True)
class _LoadedModel(LoadedModel):
    pipeline: DepthPipeline
    tracker: CameraTracker | None  # measures motions for `scale_source: speed`


class DepthNode(CameraNode):
    """Estimates the depth of the newest image while an output has subscribers."""

    def __init__(self, **options: Any) -> None:
        super().__init__("depth_node", DEPTH_PARAMETERS, **options)

    def load(self) -> _LoadedModel:
        """Load the depth network, and the pose network if the scale source needs it."""
        estimator = DepthEstimator(self.load_engine(), output_size=self.value("output_size"))
        tracker = None
        if self.value("scale_source") == "speed":
            tracker = CameraTracker(MotionEstimator(estimator.engine))
        return _LoadedModel(estimator.engine, DepthPipeline(estimator), tracker)

    def open(self) -> None:
        """Create the outputs."""
        for topic, kind in TOPICS.items():
            self.create_output(kind, topic)

    def has_work(self) -> bool:
        """Whether an output has subscribers or the scale source needs images."""
        active = self.active_model
        if active is not None and (active.scale.needs_depth or active.scale.needs_motion):
            return True
        return bool(self._requested())

    def process(self, loaded: _LoadedModel, scale: ScaleSource, frame: RectifiedFrame) -> str:
        """Publish the outputs that have subscribers, as soon as the scale is known."""
        requested = self._requested()
        image = network_input(loaded.engine, frame.rgb, frame.camera)
        if loaded.tracker is not None:
            pose = loaded.tracker.add(image, frame.camera, frame.stamp, segment=frame.segment)
            if pose is not None and pose.event == "motion":
                scale.add_motion(pose.since, pose.stamp, pose.distance)
        if not (requested or scale.needs_depth):
            return NO_SUBSCRIBER
        confidence = "depth/confidence" in requested
        prediction = loaded.pipeline.estimator.estimate(image, frame.camera, confidence)
        scale.add_depth(prediction)
        factor = scale.factor
        if not requested:
            return NO_SUBSCRIBER
        if factor is None:
            return scale.unavailable_reason
        if scale.in_use:
            prediction = prediction.in_metres(factor)
        settings = map(self.value, ("depth_encoding", "points_stride", "points_colour"))
        messages = loaded.pipeline.messages(frame, prediction, requested, *settings)
        for topic, message in messages.items():
            self.publish(topic, message)
        return ""

    def _requested(self) -> set[str]:
        """The outputs that have subscribers; the others are not computed."""
        return {topic for topic in TOPICS if self.has_subscribers(topic)}
