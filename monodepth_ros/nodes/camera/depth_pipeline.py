"""The messages of a depth prediction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.conversions.point_cloud import DEFAULT_CLOUD, CloudMaker, CloudSettings
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.visualisation.colour_maps import colourise


class DepthPipeline:
    """Makes the messages of one camera; what depends on the camera alone is computed once.

    There is one message for each topic: publish it before you make the next one.
    """

    def __init__(self) -> None:
        self._images: defaultdict[str, Image] = defaultdict(Image)
        self._camera: PinholeCamera | None = None
        self._info = CameraInfo()
        self._clouds: CloudMaker | None = None

    def messages(
        self,
        frame: RectifiedFrame,
        prediction: DepthPrediction,
        requested: Collection[str],
        encoding: str = "32FC1",
        cloud: CloudSettings = DEFAULT_CLOUD,
    ) -> dict[str, Any]:
        """The messages of a prediction for the topics ``requested``, and always its camera_info.

        All have the stamp and the frame_id of the image. ``encoding`` is that of the depth image.
        """
        header, depth, camera = frame.header, prediction.depth, prediction.camera
        assert camera is not None
        if camera is not self._camera:  # the same object as long as the camera does not change
            self._camera, self._info, self._clouds = camera, info_of_camera(camera, header), None
        self._info.header = header
        made: dict[str, Any] = {"depth/camera_info": self._info}
        if "depth/image_rect" in requested:
            message = self._images["depth/image_rect"]
            made["depth/image_rect"] = encode_depth(depth, encoding, header, message)
        if "depth/points" in requested:
            made["depth/points"] = self._points(frame, prediction, camera, cloud)
        for topic, values in (
            ("depth/confidence", prediction.confidence),
            ("depth/stddev", prediction.stddev),
        ):
            if topic in requested and values is not None:
                made[topic] = encode_depth(values, "32FC1", header, self._images[topic])
        if "depth/preview" in requested:
            picture, message = colourise(prediction.disparity), self._images["depth/preview"]
            made["depth/preview"] = encode_image(picture, "bgr8", header, message)
        return made

    def _points(
        self,
        frame: RectifiedFrame,
        prediction: DepthPrediction,
        camera: PinholeCamera,
        settings: CloudSettings,
    ) -> PointCloud2:
        if self._clouds is None or settings.stride != self._clouds.stride:
            self._clouds = CloudMaker(camera, settings.stride)
        depth, colours = prediction.depth, frame.rgb if settings.colour else None
        if colours is not None and colours.shape[:2] != depth.shape:
            resized = cv2.resize(colours, depth.shape[::-1], interpolation=cv2.INTER_AREA)
            colours = np.asarray(resized, np.uint8)
        confidence = prediction.confidence if settings.confidence else None
        return self._clouds.message(depth, frame.header, colours, confidence)
