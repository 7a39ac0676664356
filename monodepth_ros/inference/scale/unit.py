"""What unit a model's depth and translation have for a given camera."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.zoo.card import ModelCard


@dataclass(frozen=True)
class Scale:
    """Inverse depth is ``q ** exponent / factor + shift`` where the network gives ``q``.

    It is in 1/m when ``label`` is ``metric``. ``covariance`` (2, 2) is that of the logarithm of 1 /
    factor and of the shift, None where it is unknown or where there is nothing to err.
    """

    factor: float
    label: Literal["metric", "relative"]
    shift: float = 0.0
    exponent: float = 1.0
    covariance: NDArray[np.float64] | None = field(default=None, compare=False)

    def inverse_depth(self, q: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the network's ``q``; not positive or not finite where there is no depth."""
        if self.exponent != 1:
            q = np.maximum(q, np.float32(0)) ** np.float32(self.exponent)
        if self.factor != 1:
            q = q / np.float32(self.factor)
        return q + np.float32(self.shift) if self.shift else q

    @property
    def keeps_certainty(self) -> bool:
        """Whether `certainty` changes nothing."""
        return self.covariance is None and not self.shift and self.exponent == 1

    def certainty(
        self, known: NDArray[np.float32], inverse_depth: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Inverse deviation of log depth where that of log ``q`` is 1 / ``known``, 0 if unknown.

        What a network errs by is a share of what it gives, not of the shift.
        """
        if self.keeps_certainty:
            return known
        (a, b), (_, c) = (np.zeros((2, 2)) if self.covariance is None else self.covariance).tolist()
        with np.errstate(all="ignore"):  # where one of both is unknown
            shifted = np.float32(1) / inverse_depth
            scaled = 1 - np.float32(self.shift) * shifted
            variance = scaled**2 * (a + (self.exponent / known) ** 2)
            variance += 2 * b * scaled * shifted + c * shifted**2
            certainty = np.float32(1) / np.sqrt(variance)
        return np.where(np.isfinite(certainty) & (known > 0), certainty, np.float32(0))


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
        ratio = 1.0
    elif camera is None:
        return RELATIVE
    else:
        ratio = focal_length(camera, size) / card.focal_length
    if (metres := card.metres) is None:
        return Scale(card.factor * ratio, "metric")
    return Scale(ratio / metres.scale, "metric", metres.shift / ratio, metres.exponent)
