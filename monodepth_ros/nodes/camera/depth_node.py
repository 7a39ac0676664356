"""`depth_node`: estimates depth images, their camera_info, point clouds and previews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from monodepth_ros.inference.depth_estimator import (
    DepthEstimator,
    DepthPrediction,
    DepthRequest,
)
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.nodes.camera.camera_node import CameraNode, LoadedModel
from monodepth_ros.nodes.camera.camera_stream import CameraStream, FrameInWork
from monodepth_ros.nodes.camera.cameras import CAMERAS_PARAMETERS, checked_names
from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
from monodepth_ros.nodes.diagnostics import NO_SUBSCRIBER
from monodepth_ros.nodes.parameters import ParameterSpec

DEPTH_PARAMETERS = (
    *CAMERAS_PARAMETERS,
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
    estimator: DepthEstimator
    trackers: dict[CameraStream, CameraTracker]  # measure motions for `scale_source: speed`


class DepthNode(CameraNode):
    """Estimates the depth of each camera's newest image while an output has subscribers."""

    def __init__(self, **options: Any) -> None:
        self._pipelines: dict[CameraStream, DepthPipeline] = {}
        super().__init__("depth_node", DEPTH_PARAMETERS, **options)

    def camera_names(self) -> list[str]:
        """The namespaces of the cameras, or one camera in the node's own."""
        return checked_names(self.value("cameras")) or [""]

    @property
    def max_batch(self) -> int:
        """Most cameras in one run of the network; 0: all that wait."""
        return int(self.value("max_batch"))

    def load(self) -> _LoadedModel:
        """Load the depth network, and the pose network if the scale source needs it."""
        measures = self.value("scale_source") == "speed"
        engine = self.load_engine("depth", *(("pose",) if measures else ()))
        estimator = DepthEstimator(engine, output_size=self.value("output_size"))
        largest = min(self.max_batch or len(self.streams), len(self.streams))
        _run_each_batch(engine, largest)
        trackers = {}
        if measures:
            trackers = {
                stream: CameraTracker(load_method("network", engine)) for stream in self.streams
            }
        return _LoadedModel(engine, estimator, trackers)

    def open(self) -> None:
        """Create the outputs."""
        for stream in self.streams:
            self._pipelines[stream] = DepthPipeline()
            for topic, kind in TOPICS.items():
                stream.create_output(kind, topic)

    def has_work(self, stream: CameraStream) -> bool:
        """Whether an output has subscribers or the scale source needs images."""
        active = self.active_model
        if active is not None:
            scale = active.scales[stream]
            if scale.needs_depth or scale.needs_motion:
                return True
        return bool(_requested(stream))

    def process(self, loaded: _LoadedModel, frames: Sequence[FrameInWork]) -> None:
        """Estimate the depth of all frames by one run of the network, and publish it."""
        asked: list[tuple[FrameInWork, set[str], DepthRequest]] = []
        for work in frames:
            with work.apart():
                requested, camera = _requested(work.stream), work.frame.camera
                image = network_input(loaded.engine, work.frame.rgb, camera)
                if loaded.trackers:
                    _measure_motion(loaded.trackers[work.stream], work, image)
                if requested or work.scale.needs_depth:
                    request = DepthRequest(image, camera, "depth/confidence" in requested)
                    asked.append((work, requested, request))
                else:
                    work.finish(NO_SUBSCRIBER)
        predictions = loaded.estimator.estimate_batch([request for _, _, request in asked])
        for (work, requested, _), prediction in zip(asked, predictions, strict=True):
            with work.apart():
                work.finish(self._publish(work, requested, prediction))

    def _publish(self, work: FrameInWork, requested: set[str], prediction: DepthPrediction) -> str:
        """Publish the outputs that have subscribers if the scale is known, or return why not."""
        scale = work.scale
        scale.add_depth(prediction)
        factor = scale.factor
        if not requested:
            return NO_SUBSCRIBER
        if factor is None:
            return scale.unavailable_reason
        if scale.in_use:
            prediction = prediction.in_metres(factor)
        settings = map(self.value, ("depth_encoding", "points_stride", "points_colour"))
        pipeline = self._pipelines[work.stream]
        messages = pipeline.messages(work.frame, prediction, requested, *settings)
        for topic, message in messages.items():
            work.stream.publish(topic, message)
        return ""


def _run_each_batch(engine: Engine, largest: int) -> None:
    """Run every batch of several images once: an engine may compile it when it is first asked."""
    for images in range(2, largest + 1):
        engine.inverse_depth(engine.prepare(np.zeros((images, *engine.size, 3), np.uint8)))


def _requested(stream: CameraStream) -> set[str]:
    """The outputs that have subscribers; the others are not computed."""
    return {topic for topic in TOPICS if stream.has_subscribers(topic)}


def _measure_motion(tracker: CameraTracker, work: FrameInWork, image: NetworkInput) -> None:
    frame = work.frame
    pose = tracker.add(image, frame.camera, frame.stamp, segment=frame.segment)
    if pose is not None and pose.event == "motion":
        work.scale.add_motion(pose.since, pose.stamp, pose.distance)
