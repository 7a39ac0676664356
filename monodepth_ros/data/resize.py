"""Bringing images and their truth to the network's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from monodepth_ros.data.image_file import RgbImage


def resize_image(image: RgbImage, size: tuple[int, int]) -> RgbImage:
    """Pillow's LANCZOS to (height, width), as the reference training of Monodepth2 does."""
    if image.shape[:2] == size:
        return image
    height, width = size
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def resize_nearest(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """The pixel whose centre is nearest, for depth and masks: HxW to (height, width).

    Pixel areas are aligned as in :func:`resize_image`, so that truth stays on its object.
    """
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, array.shape, strict=True)
    )
    return array[rows[:, None], columns]
