"""From an image message to the messages of its depth: what the depth node does with a frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.preview import colourise
from monodepth_ros.nodes.camera_info import camera_from_info, info_of_camera
from monodepth_ros.nodes.messages import (
    decode_compressed,
    decode_image,
    encode_depth,
    encode_image,
)
from monodepth_ros.nodes.point_cloud import CloudMaker


@dataclass(frozen=True)
class Wanted:
    """Which results somebody listens to; nobody works for the others."""

    depth: bool = True
    points: bool = False
    preview: bool = False

    @property
    def anything(self) -> bool:
        """Whether the network has to run at all."""
        return self.depth or self.points or self.preview


@dataclass(frozen=True)
class DepthMessages:
    """The results for one image, all with its stamp and frame; None what was not wanted."""

    camera_info: CameraInfo
    depth: Image | None
    points: PointCloud2 | None
    preview: Image | None


@dataclass(frozen=True)
class OutputSettings:
    """How results are published."""

    encoding: str = "32FC1"
    points_stride: int = 1
    points_colour: bool = True


class DepthPipeline:
    """Keeps what is computed once for a camera: the rectification, and the rays of the points."""

    def __init__(self, estimator: DepthEstimator, settings: OutputSettings) -> None:
        self.estimator = estimator
        self.settings = settings
        self._camera: PinholeCamera | None = None
        self._info_values: tuple[object, ...] = ()
        self._rectifier: Rectifier | None = None
        self._clouds: CloudMaker | None = None

    def process(
        self, message: Image | CompressedImage, info: CameraInfo, wanted: Wanted
    ) -> DepthMessages:
        """Depth of an image seen by the camera of ``info``.

        UserError for an image that cannot be decoded and for a camera that does not fit it.
        """
        compressed = isinstance(message, CompressedImage)
        rgb = decode_compressed(message) if compressed else decode_image(message)
        camera = self._camera_of(info, rgb.shape[0], rgb.shape[1])
        if self._rectifier is not None:
            rgb = self._rectifier.image(rgb)
        prediction = self.estimator.estimate(rgb, camera)
        depth = prediction.depth
        header = message.header
        depth_camera = camera.resized(*depth.shape)
        return DepthMessages(
            camera_info=info_of_camera(depth_camera, header),
            depth=encode_depth(depth, self.settings.encoding, header) if wanted.depth else None,
            points=self._points(depth, rgb, depth_camera, message) if wanted.points else None,
            preview=(
                encode_image(colourise(prediction.disparity), "bgr8", header)
                if wanted.preview
                else None
            ),
        )

    def _camera_of(self, info: CameraInfo, height: int, width: int) -> PinholeCamera:
        """The rectified camera of the images; all that hangs on it anew when it changes."""
        roi = info.roi
        values = (height, width, info.height, info.width, info.distortion_model, *info.k, *info.d)
        values += (info.binning_x, info.binning_y)
        values += (roi.x_offset, roi.y_offset, roi.width, roi.height)
        if self._camera is None or values != self._info_values:
            camera = camera_from_info(info, height, width)
            self._rectifier = Rectifier(camera) if camera.distorted else None
            self._camera, self._clouds = camera.undistorted(), None
            self._info_values = values
        return self._camera

    def _points(
        self,
        depth: NDArray[np.float32],
        rgb: NDArray[np.uint8],
        camera: PinholeCamera,
        message: Image | CompressedImage,
    ) -> PointCloud2:
        if self._clouds is None:
            self._clouds = CloudMaker(camera, self.settings.points_stride)
        colours = None
        if self.settings.points_colour:
            # Of the same size it is the image itself, bit by bit.
            resized = cv2.resize(rgb, depth.shape[::-1], interpolation=cv2.INTER_AREA)
            colours = np.asarray(resized, np.uint8)
        return self._clouds.message(depth, message.header, colours)
