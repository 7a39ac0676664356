"""From a camera frame to what the networks see."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_batch
from monodepth_ros.zoo.card import ModelCard, check_size, parse_size


def network_size(card: ModelCard, size: tuple[int, int] | None) -> tuple[int, int]:
    """The chosen (height, width) or the card's; a :class:`UserError` when it does not fit."""
    if size is None:
        return card.size
    try:
        check_size(card.architecture, parse_size(size), card.size_multiple)
        return size
    except ValueError as error:
        raise UserError(f"network size {error}") from None


def check_frame(rgb: NDArray[np.uint8], camera: PinholeCamera | None) -> None:
    """Raise unless ``rgb`` is a uint8 HxWx3 array of the size that ``camera`` is for."""
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8:
        raise TypeError("a frame is a uint8 RGB array")
    if rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise ValueError(f"a frame has the shape (height, width, 3), not {rgb.shape}")
    height, width = rgb.shape[:2]
    if camera is not None and (camera.height, camera.width) != (height, width):
        raise UserError(
            f"the camera is for {camera.width}x{camera.height} images,"
            f" the frame is {width}x{height}"
        )


def to_network_input(rgb: NDArray[np.uint8], size: tuple[int, int], device: torch.device) -> Tensor:
    """A frame ``(H, W, 3)`` as ``(1, 3, *size)`` in [0, 1] on ``device``.

    The frame travels to the device as bytes and is resized there, as training's frames are.
    """
    image = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].to(device)
    return resize_batch(image, size).float() / 255.0
