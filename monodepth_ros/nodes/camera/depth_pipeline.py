"""The messages of a depth prediction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthPrediction
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.conversions.point_cloud import CloudMaker
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.visualisation.colour_maps import colourise


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
        requested: Collection[str],
        encoding: str = "32FC1",
        points_stride: int = 1,
        points_colour: bool = True,
    ) -> dict[str, Any]:
        """The messages of a prediction for the topics ``requested``, and always its camera_info.

        All have the stamp and the frame_id of the image. ``encoding`` is that of the depth image.
        """
        header, depth, camera = frame.header, prediction.depth, prediction.camera
        assert camera is not None
        made: dict[str, Any] = {"depth/camera_info": info_of_camera(camera, header)}
        if "depth/image_rect" in requested:
            made["depth/image_rect"] = encode_depth(depth, encoding, header)
        if "depth/points" in requested:
            made["depth/points"] = self._points(frame, depth, camera, points_stride, points_colour)
        if "depth/confidence" in requested and prediction.confidence is not None:
            made["depth/confidence"] = encode_depth(prediction.confidence, "32FC1", header)
        if "depth/preview" in requested:
            picture = colourise(prediction.disparity)
            made["depth/preview"] = encode_image(picture, "bgr8", header)
        return made

    def _points(
        self,
        frame: RectifiedFrame,
        depth: NDArray[np.float32],
        camera: PinholeCamera,
        stride: int,
        coloured: bool,
    ) -> PointCloud2:
        # FrameRectifier returns the same object as long as the camera does not change.
        same_camera = frame.camera is self._clouds_of
        if self._clouds is None or not same_camera or stride != self._clouds.stride:
            self._clouds, self._clouds_of = CloudMaker(camera, stride), frame.camera
        colours = None
        if coloured:
            # An image of the same size is returned unchanged.
            resized = cv2.resize(frame.rgb, depth.shape[::-1], interpolation=cv2.INTER_AREA)
            colours = np.asarray(resized, np.uint8)
        return self._clouds.message(depth, frame.header, colours)
