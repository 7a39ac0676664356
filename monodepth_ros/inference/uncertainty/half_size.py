"""Half the size of the network: where all that tells of errors is computed, as it is smooth."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def halved(values: NDArray[Any]) -> NDArray[np.float32]:
    """``(h / 2, w / 2)``, each the mean of four."""
    size = values.shape[1] // 2, values.shape[0] // 2
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def sampled(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``(h / 2, w / 2, 3)``, every second pixel of every second row."""
    size = image.shape[1] // 2, image.shape[0] // 2
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_NEAREST), np.uint8)
