"""`depth_node`: estimates depth images, their camera_info, point clouds and previews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from monodepth_ros.inference.background import Background
from monodepth_ros.inference.depth_estimator import (
    DepthEstimator,
    DepthPrediction,
    DepthRequest,
)
from monodepth_ros.inference.engines.base import Engine, Rgb
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import DEFAULT, load_method, method_class
from monodepth_ros.inference.uncertainty.error_model import is_calibrated
from monodepth_ros.inference.uncertainty.views import MAX_VIEWS
from monodepth_ros.nodes.camera.camera_node import CameraNode, LoadedModel
from monodepth_ros.nodes.camera.camera_stream import CameraStream, FrameInWork
from monodepth_ros.nodes.camera.cameras import CAMERAS_PARAMETERS, checked_names
from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
from monodepth_ros.nodes.camera.left_out_pixels import LeftOutPixels
from monodepth_ros.nodes.camera.mounting import MOUNTING_PARAMETERS
from monodepth_ros.nodes.conversions.point_cloud import CloudSettings
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
    ParameterSpec(
        "points_confidence",
        False,
        "points carry the confidence of their depth (field confidence), to weigh them by",
        read_only=False,
    ),
    ParameterSpec(
        "min_confidence",
        0.0,
        "depth and points of a lower confidence are left out: NaN, or 0 in 16UC1; 0: none",
        read_only=False,
        bounds=(0.0, 1.0),
    ),
    ParameterSpec(
        "background",
        "keep",
        "black_invalid: no depth where the image is black without texture, as in space",
        choices=get_args(Background),
    ),
    ParameterSpec(
        "confidence_views",
        0,
        "further views of an image (mirrored, darker, brighter, blurred, cropped) that confidence"
        " compares; each costs another run of the network",
        bounds=(0, MAX_VIEWS),
        advanced=True,
    ),
    *MOUNTING_PARAMETERS,
)
CLOUD_PARAMETERS = ("points_stride", "points_colour", "points_confidence")
TOPICS = {
    "depth/image_rect": Image,
    "depth/camera_info": CameraInfo,
    "depth/points": PointCloud2,
    "depth/confidence": Image,
    "depth/stddev": Image,
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
        self._uncertain = LeftOutPixels("below min_confidence")
        self._background = LeftOutPixels("of black background")
        super().__init__("depth_node", DEPTH_PARAMETERS, **options)

    def camera_names(self) -> list[str]:
        """The namespaces of the cameras, or one camera in the node's own."""
        return checked_names(self.value("cameras")) or [""]

    @property
    def max_batch(self) -> int:
        """Most cameras in one run of the network; 0: all that wait."""
        return int(self.value("max_batch"))

    def load(self) -> _LoadedModel:
        """Load the depth network, and what measures motions if the scale source needs them."""
        measures = self.value("scale_source") == "speed"
        networks = {"depth", *(method_class(DEFAULT).networks if measures else ())}
        engine = self.load_engine(*sorted(networks))
        estimator = DepthEstimator(
            engine,
            output_size=self.value("output_size"),
            confidence_views=self.value("confidence_views"),
            background=self.value("background"),
        )
        largest = min(self.max_batch or len(self.streams), len(self.streams))
        _run_each_batch(engine, largest)
        trackers = {}
        if measures:
            trackers = {
                stream: CameraTracker(load_method(DEFAULT, engine)) for stream in self.streams
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
        others: list[tuple[FrameInWork, NetworkInput]] = []
        for work in frames:
            with work.apart():
                requested, camera = _requested(work.stream), work.frame.camera
                image = network_input(loaded.engine, work.frame.rgb, camera)
                if requested or work.scale.needs_depth:
                    rated = self._needs_confidence(requested) or work.scale.needs_confidence
                    request = DepthRequest(image, camera, rated)
                    asked.append((work, requested, request))
                else:
                    others.append((work, image))
        predictions = loaded.estimator.estimate_batch([request for _, _, request in asked])
        for (work, requested, request), prediction in zip(asked, predictions, strict=True):
            with work.apart():
                _measure_motion(loaded, work, request.image)
                work.finish(self._publish(work, requested, prediction))
        for work, image in others:
            with work.apart():
                _measure_motion(loaded, work, image)
                work.finish(NO_SUBSCRIBER)

    def _publish(self, work: FrameInWork, requested: set[str], prediction: DepthPrediction) -> str:
        """Publish the outputs that have subscribers if the scale is known, or return why not."""
        source = work.scale
        source.add_frame(work.frame, prediction)
        scale = source.scale
        if not requested:
            return NO_SUBSCRIBER
        if scale is None:
            return source.unavailable_reason
        if source.in_use:
            prediction = prediction.in_metres(scale)
        kept = prediction.at_least(self.value("min_confidence"))
        if kept is not prediction:
            valid = prediction.valid_pixels
            self._uncertain.add(valid - kept.valid_pixels, valid)
        self._background.add(prediction.background_pixels, prediction.disparity.size)
        messages = self._pipelines[work.stream].messages(
            work.frame,
            kept,
            requested,
            self.value("depth_encoding"),
            CloudSettings(*map(self.value, CLOUD_PARAMETERS)),
        )
        for topic, message in messages.items():
            work.stream.publish(topic, message)
        return ""

    def _needs_confidence(self, requested: set[str]) -> bool:
        """Whether an output has it, or depends on it."""
        in_points = self.value("points_confidence") and "depth/points" in requested
        asked = {"depth/confidence", "depth/stddev"} & requested
        return bool(asked or in_points or self.value("min_confidence") > 0)

    def facts(self) -> dict[str, str]:
        """What `min_confidence` and `background` leave out."""
        uncertain = self._uncertain.facts() if self.value("min_confidence") > 0 else {}
        leaves_out = self.value("background") != "keep"
        return {**uncertain, **(self._background.facts() if leaves_out else {})}

    def warnings(self) -> list[str]:
        """That there is no standard deviation although somebody wants it."""
        if self.active_model is None:
            return []
        card = self.active_model.loaded.engine.card
        wanted = any(stream.has_subscribers("depth/stddev") for stream in self.streams)
        if is_calibrated(card) or not wanted:
            return []
        return [
            f"depth/stddev is not published: nobody has calibrated model {card.name}"
            " (monodepth models calibrate)"
        ]


def _run_each_batch(engine: Engine, largest: int) -> None:
    """Run every batch of several images once: an engine may compile it when it is first asked."""
    for images in range(2, largest + 1):
        engine.inverse_depth(engine.prepare(np.zeros((images, *engine.size, 3), np.uint8)))


def _requested(stream: CameraStream) -> set[str]:
    """The outputs that have subscribers; the others are not computed."""
    return {topic for topic in TOPICS if stream.has_subscribers(topic)}


def _measure_motion(loaded: _LoadedModel, work: FrameInWork, image: Rgb | NetworkInput) -> None:
    """Where the scale source needs motions; after the depth, which methods may ask for."""
    tracker, frame = loaded.trackers.get(work.stream), work.frame
    if tracker is None:
        return
    pose = tracker.add(image, frame.camera, frame.stamp, segment=frame.segment)
    if pose is not None and pose.event == "motion":
        work.scale.add_motion(pose.since, pose.stamp, pose.distance)
