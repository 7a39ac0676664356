"""A camera frame as the methods of motion see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.engines.base import Engine, Frames, Rgb
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.scale.unit import Scale, scale_of

MAX_WIDTH = 640  # pixels of a grey image: more cost time, and corners are found as well


@dataclass(frozen=True, eq=False)
class GreyImage:
    """uint8 (h, w), rectified, and the camera of an image of this size."""

    pixels: NDArray[np.uint8]
    camera: PinholeCamera


@dataclass(frozen=True, eq=False)
class View:
    """One frame, taken at ``stamp`` nanoseconds. Two views are equal only if they are one object.

    ``seen_by`` is the camera of the whole image, None where nobody knows it. ``picture`` is made
    for methods that ask for it.
    """

    seen: NetworkInput = field(repr=False)
    stamp: int
    seen_by: PinholeCamera | None = None
    picture: GreyImage | None = field(default=None, repr=False)

    @property
    def engine(self) -> Engine:
        """The engine whose networks see the frame."""
        return self.seen.engine

    @property
    def frames(self) -> Frames:
        """The frame as these networks take it."""
        return self.seen.frames

    @property
    def grey(self) -> NDArray[np.uint8]:
        """uint8 (h, w), rectified, at most `MAX_WIDTH` wide. UserError without a camera."""
        return self._picture.pixels

    @property
    def camera(self) -> PinholeCamera:
        """That of `grey`. UserError where it is unknown."""
        return self._picture.camera

    @property
    def unit(self) -> Scale:
        """The unit of depth and translations: that of the model for this camera."""
        return scale_of(self.engine.card, self.seen_by, self.frames.size)

    def inverse_depth(self) -> NDArray[np.float32]:
        """float32 (h, w) at the network's size, in 1/`unit`; computed when it is first asked for.

        Not finite or not positive where the network cannot tell.
        """
        return self.unit.inverse_depth(self.seen.inverse_depth)

    def for_engine(self, engine: Engine) -> View:
        """The same frame for another model of the same input size."""
        frames = engine.prepare(self.frames.pixels())
        return replace(self, seen=NetworkInput(engine, frames, self.seen.image))

    @property
    def _picture(self) -> GreyImage:
        if self.seen_by is None:
            raise UserError("the motion of images without a camera: their intrinsics are needed")
        assert self.picture is not None, "the method does not ask for grey images"
        return self.picture


class Views:
    """Makes the views of one camera after another; ``with_grey`` where the method needs that."""

    def __init__(self, engine: Engine, with_grey: bool) -> None:
        self.engine, self.with_grey = engine, with_grey
        # Resizing a camera's mask takes longer than resizing the image.
        self._resized = lru_cache(maxsize=1)(PinholeCamera.resized)

    def view(self, image: Rgb | NetworkInput, camera: PinholeCamera | None, stamp: int = 0) -> View:
        """The view of ``image``, uint8 HxWx3, whose memory may be used again afterwards."""
        seen = network_input(self.engine, image, camera)
        picture = None
        if self.with_grey and camera is not None:
            picture = grey_image(seen.image, camera, self._resized)
        return View(seen, stamp, camera, picture)


def grey_image(
    image: Rgb,
    camera: PinholeCamera,
    resized: Callable[[PinholeCamera, int, int], PinholeCamera] = PinholeCamera.resized,
) -> GreyImage:
    """Of a rectified image, uint8 HxWx3, at most `MAX_WIDTH` wide; ``resized`` as of a camera."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if camera.width > MAX_WIDTH:
        height = max(round(camera.height * MAX_WIDTH / camera.width), 1)
        grey = cv2.resize(grey, (MAX_WIDTH, height), interpolation=cv2.INTER_AREA)
        camera = resized(camera, height, MAX_WIDTH)
    return GreyImage(np.asarray(grey, np.uint8), camera)
