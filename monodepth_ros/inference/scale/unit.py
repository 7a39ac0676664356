"""What unit a model's depth and translation have for a given camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.zoo.card import ModelCard


@dataclass(frozen=True)
class Scale:
    """Network depth times ``factor`` is in metres when ``label`` is ``metric``."""

    factor: float
    label: Literal["metric", "relative"]


RELATIVE = Scale(1.0, "relative")


def focal_length(camera: PinholeCamera, size: tuple[int, int]) -> float:
    """``sqrt(fx fy)`` in pixels of an image resized to ``size`` (h, w).

    An object's image area goes with ``fx fy / Z^2``.
    """
    area = size[0] * size[1] / (camera.height * camera.width)
    return math.sqrt(camera.K[0, 0] * camera.K[1, 1] * area)


def scale_of(card: ModelCard, camera: PinholeCamera | None, size: tuple[int, int]) -> Scale:
    """The scale of outputs for frames of ``camera`` that the network sees at ``size`` (h, w).

    A network knows sizes in pixels, not in metres: the same view through a lens of twice the focal
    length looks half as far away. So where the card states the training camera's focal length,
    metres go with the ratio of the two; without a camera to compare, depth is only relative.
    """
    if card.scale == "relative":
        return RELATIVE
    if card.focal_length is None:
        return Scale(card.factor, "metric")
    if camera is None:
        return RELATIVE
    ratio = focal_length(camera, size) / card.focal_length
    return Scale(card.factor * ratio, "metric")
