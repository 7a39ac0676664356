"""A camera frame as input of the networks, checked and resized once, and its depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.engines.base import Engine, Frames, Rgb
from monodepth_ros.inference.output_size import resize_output


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """One camera frame, ready for both networks of an engine, and its depth if that was asked for.

    ``image`` is the frame itself, uint8 HxWx3. Its memory is the caller's, and may be used again
    when the frame is processed.
    """

    engine: Engine
    frames: Frames
    image: Rgb

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.image.shape[0], self.image.shape[1]

    @cached_property
    def inverse_depth(self) -> NDArray[np.float32]:
        """What `Engine.inverse_depth` gives, at the size of the frames, (h, w).

        The network runs once for all who ask.
        """
        return self._at_size(self.engine.inverse_depth(self.frames)[0])

    def keep_inverse_depth(self, inverse: NDArray[np.float32]) -> None:
        """Take over the depth that was computed in a batch."""
        self.__dict__["inverse_depth"] = self._at_size(inverse)

    def _at_size(self, inverse: NDArray[np.float32]) -> NDArray[np.float32]:
        return resize_output(inverse, self.frames.size, self.engine.card.resize)


def network_input(
    engine: Engine, image: Rgb | NetworkInput, camera: PinholeCamera | None = None
) -> NetworkInput:
    """``image``, uint8 HxWx3, as input of ``engine``; a NetworkInput is returned unchanged.

    TypeError, ValueError or UserError unless it is an image of the size of its ``camera``.
    """
    height, width = image.image_size if isinstance(image, NetworkInput) else _checked(image)
    if camera is not None:
        camera.check_size(height, width, "the camera")
    if isinstance(image, NetworkInput):
        return image
    return NetworkInput(engine, engine.prepare(image[None]), image)


def _checked(rgb: Rgb) -> tuple[int, int]:
    """Height and width of a uint8 HxWx3 array."""
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        raise TypeError("a frame is a uint8 RGB array")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a frame has the shape (height, width, 3), not {rgb.shape}")
    return rgb.shape[0], rgb.shape[1]
