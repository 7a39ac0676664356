"""A network's inverse depth at the size of the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.image_size import resize_floats, resize_linear
from monodepth_ros.zoo.resize_rule import ResizeRule


def resize_output(
    inverse: NDArray[np.float32], size: tuple[int, int], rule: ResizeRule | None
) -> NDArray[np.float32]:
    """Inverse depth (h, w) at ``size`` (height, width), by the card's rule where it has one.

    Without one it is resized itself, because depth averages badly at edges; published models are
    resized as they were published.
    """
    if rule is None:
        return resize_linear(inverse, size)
    if rule.back_of == "inverse_depth" or inverse.shape == size:
        return resize_floats(inverse, size, rule.back)
    with np.errstate(divide="ignore"):
        return np.reciprocal(resize_floats(np.reciprocal(inverse), size, rule.back))
