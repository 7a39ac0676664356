"""Images at the network's size by one kernel for all; depth and masks, which must not be mixed.

Torch is imported where it resizes: reading recordings needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Kernel = Literal["bilinear", "bicubic"]


def resize_image(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """``rgb`` HxWx3 at ``size`` (height, width): bilinear with antialiasing, pixel areas aligned.

    Bytes to bytes on the CPU. `resize_batch` gives the same image.
    """
    import torch

    image = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None]
    return np.ascontiguousarray(resize_batch(image, size)[0].permute(1, 2, 0).numpy())


def resize_batch(images: Tensor, size: tuple[int, int], kernel: Kernel = "bilinear") -> Tensor:
    """Uint8 images ``(B, 3, H, W)`` on any device at ``size`` (height, width), uint8.

    The kernel is that of `resize_image` unless a published network wants the other one.

    A CPU resizes bytes, 20 times as fast as floats at 640x480, and rounds after each of the two
    directions. CUDA has no such kernel: it resizes floats and rounds once, so that a pixel differs
    by one grey level at most.
    """
    import torch

    if images.dtype != torch.uint8:
        raise TypeError(f"images are bytes, not {images.dtype}")
    if tuple(images.shape[-2:]) == size:
        return images
    on_cpu = images.device.type == "cpu"
    resized = torch.nn.functional.interpolate(
        images if on_cpu else images.float(), size, mode=kernel, antialias=True
    )
    return resized if on_cpu else resized.round_().clamp_(0, 255).byte()


def resize_bytes(
    images: NDArray[np.uint8], size: tuple[int, int], kernel: Kernel = "bilinear"
) -> NDArray[np.uint8]:
    """Images ``(B, H, W, 3)`` at ``size`` (height, width) without torch.

    The same kernel in Pillow's arithmetic: of a thousand values three differ from `resize_batch`'s,
    by one grey level.
    """
    if images.shape[1:3] == size:
        return images.copy()
    from PIL import Image

    filter_ = Image.Resampling[kernel.upper()]
    resized = [Image.fromarray(image).resize(size[::-1], filter_) for image in images]
    return np.stack([np.asarray(image) for image in resized])


def resize_linear(array: NDArray[np.floating], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Float HxW at ``size`` (height, width), bilinear, pixel areas aligned.

    A pixel beside a NaN becomes NaN.
    """
    return resize_floats(array, size, "bilinear")


def resize_floats(
    array: NDArray[np.floating], size: tuple[int, ...], kernel: Kernel
) -> NDArray[np.float32]:
    """The same by either kernel, without antialiasing: `torch.nn.functional.interpolate`'s."""
    array = array.astype(np.float32, copy=False)
    if array.shape == size:
        return array
    flag = cv2.INTER_LINEAR if kernel == "bilinear" else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(array, size[::-1], interpolation=flag), np.float32)


def resize_nearest(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """The pixel whose centre is nearest, for depth and masks: HxW to (height, width).

    Pixel areas are aligned as in `resize_image`, so that truth stays on its object.
    """
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(np.int64)
        for new, old in zip(size, array.shape, strict=True)
    )
    return array[rows[:, None], columns]


def resize_valid(valid: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Bool HxW at ``size`` (height, width): true where `resize_image` mixes in nothing
    but valid pixels.
    """
    if valid.shape == size:
        return valid
    invalid = np.zeros((valid.shape[0] + 1, valid.shape[1] + 1), np.int64)  # counted from (0, 0)
    np.cumsum(np.cumsum(~valid, 0), 1, out=invalid[1:, 1:])
    (top, bottom), (left, right) = (
        _support(old, new) for old, new in zip(valid.shape, size, strict=True)
    )
    upper, lower = (invalid[rows][:, right] - invalid[rows][:, left] for rows in (top, bottom))
    return np.asarray(lower == upper)


def _support(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel, and the one behind the last, whose weight in each new pixel is above 0."""
    step = old / new
    reach = max(step, 1.0)
    centre = (np.arange(new) + 0.5) * step - 0.5
    first = np.floor(centre - reach + 1).clip(0, old - 1)
    behind = np.ceil(centre + reach).clip(1, old)
    return first.astype(np.int64), behind.astype(np.int64)
