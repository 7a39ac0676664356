"""The messages of a depth prediction."""

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
class RequestedOutputs:
    """The outputs that have subscribers; the others are not computed."""

    depth: bool = True
    points: bool = False
    confidence: bool = False
    preview: bool = False

    @property
    def any(self) -> bool:
        """Whether the network has to run."""
        return self.depth or self.points or self.confidence or self.preview


@dataclass(frozen=True)
class DepthMessages:
    """The outputs for one image, with its stamp and frame_id; None where not requested."""

    camera_info: CameraInfo
    depth: Image | None
    points: PointCloud2 | None
    confidence: Image | None
    preview: Image | None


@dataclass(frozen=True)
class OutputSettings:
    """How the outputs are encoded."""

    encoding: str = "32FC1"
    points_stride: int = 1
    points_colour: bool = True


class DepthPipeline:
    """Makes messages; the rays of the point cloud are computed once for each camera."""

    def __init__(self, estimator: DepthEstimator) -> None:
        self.estimator = estimator
        self._clouds: CloudMaker | None = None
        self._clouds_of: PinholeCamera | None = None

    def messages(
        self,
        frame: RectifiedFrame,
        prediction: DepthPrediction,
        requested: RequestedOutputs,
        settings: OutputSettings,
    ) -> DepthMessages:
        """The messages of a prediction."""
        header, depth, camera = frame.header, prediction.depth, prediction.camera
        assert camera is not None
        preview = confidence = None
        if requested.confidence and prediction.confidence is not None:
            confidence = encode_depth(prediction.confidence, "32FC1", header)
        if requested.preview:
            preview = encode_image(colourise(prediction.disparity), "bgr8", header)
        return DepthMessages(
            camera_info=info_of_camera(camera, header),
            depth=encode_depth(depth, settings.encoding, header) if requested.depth else None,
            points=self._points(frame, depth, camera, settings) if requested.points else None,
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
        # FrameRectifier returns the same object as long as the camera does not change.
        same_camera = frame.camera is self._clouds_of
        if self._clouds is None or not same_camera or stride != self._clouds.stride:
            self._clouds, self._clouds_of = CloudMaker(camera, stride), frame.camera
        colours = None
        if settings.points_colour:
            # An image of the same size is returned unchanged.
            resized = cv2.resize(frame.rgb, depth.shape[::-1], interpolation=cv2.INTER_AREA)
            colours = np.asarray(resized, np.uint8)
        return self._clouds.message(depth, frame.header, colours)
