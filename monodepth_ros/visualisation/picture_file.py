"""Pictures as PNG files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path


def write_png(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write uint8 HxWx3 RGB, whole or not at all; the name may be of any bytes."""
    with atomic_path(path) as temporary:
        # OpenCV encodes BGR; a name that is not UTF-8 it would not write.
        temporary.write_bytes(cv2.imencode(".png", rgb[:, :, ::-1])[1].tobytes())
