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
        # A name that is not UTF-8 OpenCV would not write.
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        temporary.write_bytes(cv2.imencode(".png", bgr)[1].tobytes())
