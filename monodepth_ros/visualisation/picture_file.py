"""Pictures as files: PNG, and JPEG where there are many."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path

_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY, 95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]  # fmt: skip


def write_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write uint8 HxWx3 RGB, whole or not at all; the name may be of any bytes."""
    _write(path, ".png", rgb, [])


def write_jpeg(path: Path, rgb: NDArray[np.uint8]) -> None:
    """As `write_png`, in a tenth of the time; colours are a few levels off."""
    _write(path, ".jpg", rgb, _JPEG)


def _write(path: Path, kind: str, rgb: NDArray[np.uint8], options: list[int]) -> None:
    with atomic_path(path) as temporary:
        # A name that is not UTF-8 OpenCV would not write.
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        temporary.write_bytes(cv2.imencode(kind, bgr, options)[1].tobytes())
