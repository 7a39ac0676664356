"""The camera of images that a user names one by one: a calibration, a focal length, or nothing."""

from __future__ import annotations

from pathlib import Path

from monodepth_ros.data.images.file import CorruptFrame, RgbImage
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera


class InputCamera:
    """What is known of it, of all images alike."""

    def __init__(
        self, calibration: PinholeCamera | None = None, focal_length: float | None = None
    ) -> None:
        self._focal_length = focal_length
        self._rectifier = None if calibration is None else Rectifier(calibration)

    def seen(self, rgb: RgbImage, source: Path) -> tuple[RgbImage, PinholeCamera | None]:
        """The image without distortion, and its camera.

        CorruptFrame, which names ``source``, where it is not of the calibrated size.
        """
        height, width = rgb.shape[:2]
        if self._rectifier is not None:
            try:
                self._rectifier.camera.check_size(height, width, "--camera")
            except UserError as error:
                raise CorruptFrame(source, str(error)) from None
            return self._rectifier.image(rgb), self._rectifier.camera
        if self._focal_length is None:
            return rgb, None
        return rgb, PinholeCamera.centred(height, width, self._focal_length)
