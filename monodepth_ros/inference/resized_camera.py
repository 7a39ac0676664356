"""The camera of resized images, computed once for each camera object."""

from __future__ import annotations

from monodepth_ros.geometry.camera import PinholeCamera


class ResizedCamera:
    """Caches the last camera, because resizing its mask takes as long as decoding an image."""

    def __init__(self) -> None:
        self._camera: PinholeCamera | None = None
        self._resized: PinholeCamera | None = None

    def at(self, camera: PinholeCamera, size: tuple[int, int]) -> PinholeCamera:
        """``camera`` of the image resized to ``size`` (height, width)."""
        known = self._resized
        if known is None or self._camera is not camera or (known.height, known.width) != size:
            self._camera, self._resized = camera, camera.resized(*size)
            known = self._resized
        return known
