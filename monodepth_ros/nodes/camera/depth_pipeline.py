"""From a rectified image to the messages of its depth: what the depth node does with a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.conversions.point_cloud import CloudMaker
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.visualisation.colour_maps import colourise


@dataclass(frozen=True)
class Wanted:
    """Which results somebody listens to; nobody works for the others."""

    depth: bool = True
    points: bool = False
    confidence: bool = False
    preview: bool = False

    @property
    def anything(self) -> bool:
        """Whether the network has to run at all."""
        return self.depth or self.points or self.confidence or self.preview


@dataclass(frozen=True)
class DepthMessages:
    """The results for one image, all with its stamp and frame; None what was not wanted."""

    camera_info: CameraInfo
    depth: Image | None
    points: PointCloud2 | None
    confidence: Image | None
    preview: Image | None


@dataclass(frozen=True)
class OutputSettings:
    """How results are published."""

    encoding: str = "32FC1"
    points_stride: int = 1
    points_colour: bool = True


class DepthPipeline:
    """Keeps what is computed once for a camera: the rays of its points."""

    def __init__(self, estimator: DepthEstimator) -> None:
        self.estimator = estimator
        self._clouds: CloudMaker | None = None
        self._clouds_of: PinholeCamera | None = None

    def messages(
        self,
        frame: RectifiedFrame,
        seen: DepthPrediction,
        factor: float,
        wanted: Wanted,
        settings: OutputSettings,
    ) -> DepthMessages:
        """What is published of a frame's depth ``seen``, with ``factor`` metres to its unit."""
        header, depth, camera = frame.header, seen.depth, seen.camera
        assert camera is not None
        if factor != 1.0:
            depth = depth * np.float32(factor)
        preview = confidence = None
        if wanted.confidence and seen.confidence is not None:
            confidence = encode_depth(seen.confidence, "32FC1", header)
        if wanted.preview:
            preview = encode_image(colourise(seen.disparity), "bgr8", header)
        return DepthMessages(
            camera_info=info_of_camera(camera, header),
            depth=encode_depth(depth, settings.encoding, header) if wanted.depth else None,
            points=self._points(frame, depth, camera, settings) if wanted.points else None,
            confidence=confidence,
            preview=preview,
        )

    def _points(
        self,
        frame: RectifiedFrame,
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        settings: OutputSettings,
    ) -> PointCloud2:
        stride = settings.points_stride
        # A camera is one object for as long as nothing about it changes, see FrameRectifier.
        same_camera = frame.camera is self._clouds_of
        if self._clouds is None or not same_camera or stride != self._clouds.stride:
            self._clouds, self._clouds_of = CloudMaker(camera, stride), frame.camera
        colours = None
        if settings.points_colour:
            # Of the same size it is the image itself, bit by bit.
            resized = cv2.resize(frame.rgb, depth.shape[::-1], interpolation=cv2.INTER_AREA)
            colours = np.asarray(resized, np.uint8)
        return self._clouds.message(depth, frame.header, colours)
