"""The scale of one camera's depth by the robot's odometry, or by points of another sensor."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.inference.odometry.view import grey_image
from monodepth_ros.inference.scale.from_motion import MotionScale
from monodepth_ros.inference.scale.from_sensor import SensorScale
from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.nodes.camera.mounting import Mounting
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.nodes.scale.odometry_topic import OdometryFromTf, OdometryTopic
from monodepth_ros.nodes.scale.points_topic import PointsTopic
from monodepth_ros.nodes.scale.transforms import Transforms


class LiveScale(Protocol):
    """A scale that follows from frames and from what else comes."""

    @property
    def scale(self) -> Scale | None:
        """Metres of the model's disparity; None while unknown."""

    @property
    def missing(self) -> str:
        """What is missing for it, in words."""

    @property
    def refused(self) -> int:
        """How many measurements disagreed with those before."""

    def add_frame(self, frame: RectifiedFrame, prediction: DepthPrediction | None) -> None:
        """A frame, and its depth in the model's unit if the network was asked."""

    def close(self) -> None:
        """Unsubscribe."""


class _Estimated:
    """What both have of their estimate."""

    _estimate: MotionScale | SensorScale

    @property
    def scale(self) -> Scale | None:
        """See `LiveScale`."""
        return self._estimate.scale

    @property
    def refused(self) -> int:
        """See `LiveScale`."""
        return self._estimate.filter.refused


class MotionLive(_Estimated):
    """By the robot's odometry; ``several`` cameras have their mountings from TF alone."""

    def __init__(self, node: Node, with_shift: bool, several: bool) -> None:
        kind, frame = (node.get_parameter(f"odometry_{x}").value for x in ("type", "frame"))
        self._estimate: MotionScale = MotionScale(with_shift)
        self._transforms = Transforms(node)
        self._topic: OdometryTopic | OdometryFromTf
        self._mounting: Mounting | None = None
        if kind == "TF":
            self._topic = OdometryFromTf(self._transforms, frame)
        else:
            self._topic = OdometryTopic(node, kind)
            self._mounting = Mounting(node, "tf" if several else None)
        self._segment = 0
        # Resizing a camera's mask takes longer than resizing the image.
        self._resized = lru_cache(maxsize=1)(PinholeCamera.resized)

    @property
    def missing(self) -> str:
        """See `LiveScale`."""
        mounting = "" if self._mounting is None else self._mounting.unavailable_reason
        return self._topic.problem or mounting or self._estimate.missing

    def add_frame(self, frame: RectifiedFrame, prediction: DepthPrediction | None) -> None:
        """See `LiveScale`."""
        if frame.segment != self._segment:  # the clock was set
            self._segment = frame.segment
            self._estimate.reset()
            self._estimate.motion.reset()
        T_body_camera = self._mounted(frame)
        if T_body_camera is None:
            return
        self._topic.deliver(self._estimate.motion)
        grey = grey_image(frame.rgb, frame.camera, self._resized)
        disparity = None if prediction is None else prediction.disparity
        self._estimate.add(grey.pixels, grey.camera, frame.stamp, T_body_camera, disparity)

    def _mounted(self, frame: RectifiedFrame) -> NDArray[np.float64] | None:
        """The camera on the body whose motion is known; None while it is not known."""
        optical = frame.header.frame_id.lstrip("/")
        if isinstance(self._topic, OdometryFromTf):
            self._topic.ask(frame.stamp, optical)
            return np.eye(4)
        if self._topic.body == optical:
            return np.eye(4)
        assert self._mounting is not None
        return self._mounting.T_base_camera(frame.header, self._topic.body)

    def close(self) -> None:
        """See `LiveScale`."""
        self._topic.close()
        self._transforms.close()
        if self._mounting is not None:
            self._mounting.close()


class PointsLive(_Estimated):
    """By points that another sensor measures."""

    def __init__(self, node: Node, with_shift: bool) -> None:
        kind, tolerance = (node.get_parameter(f"points_{x}").value for x in ("type", "tolerance"))
        self._with_shift = with_shift
        self._estimate: SensorScale = SensorScale(with_shift)
        self._transforms = Transforms(node)
        self._topic = PointsTopic(node, kind, tolerance, self._transforms)
        self._waiting: deque[tuple[RectifiedFrame, DepthPrediction]] = deque(maxlen=10)
        self._segment = 0

    @property
    def missing(self) -> str:
        """See `LiveScale`."""
        return self._topic.problem or self._estimate.missing

    def add_frame(self, frame: RectifiedFrame, prediction: DepthPrediction | None) -> None:
        """See `LiveScale`. A frame waits until no nearer points can come."""
        if frame.segment != self._segment:
            self._segment = frame.segment
            self._waiting.clear()
            self._estimate = SensorScale(self._with_shift)
        if prediction is not None:
            self._waiting.append((frame, prediction))
        while self._waiting and not self._topic.is_to_come(self._waiting[0][0].stamp):
            self._compare(*self._waiting.popleft())

    def _compare(self, frame: RectifiedFrame, prediction: DepthPrediction) -> None:
        points = self._topic.near(frame.stamp, frame.header.frame_id)
        if points is not None:
            self._estimate.add(points, frame.camera, frame.stamp, prediction.disparity)

    def close(self) -> None:
        """See `LiveScale`."""
        self._topic.close()
        self._transforms.close()


def live_scale(node: Node, source: str, with_shift: bool, several: bool) -> LiveScale | None:
    """That of a source by its name; None if it is none of these."""
    if source == "odometry":
        return MotionLive(node, with_shift, several)
    return PointsLive(node, with_shift) if source == "points" else None
