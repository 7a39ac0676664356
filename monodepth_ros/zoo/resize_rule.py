"""How an image becomes the input of a network whose size follows from the image."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

from monodepth_ros.geometry.image_size import Kernel
from monodepth_ros.networks.published import Quantity
from monodepth_ros.zoo.size import NetworkSize

Fit = Literal["stretch", "closest", "long_side", "image"]


class ResizeRule(BaseModel):
    """The rule of a model card by which every engine resizes frames, and its depth back.

    ``fit``: to ``size`` itself (``stretch``); both sides by one factor, that of the side whose
    factor is nearer to 1 (``closest``), or that brings the longer side to the longer one of
    ``size`` (``long_side``); or not at all (``image``). Sides are then rounded to the ``nearest``
    multiple of ``multiple``, or ``down``. ``kernel`` resizes bytes, with antialiasing. ``back``
    brings the network's output to the image's size, as depth or as inverse depth (``back_of``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fit: Fit
    size: NetworkSize | None = None
    multiple: PositiveInt = 1
    rounding: Literal["nearest", "down"] = "nearest"
    kernel: Kernel = "bilinear"
    back: Kernel = "bilinear"
    back_of: Quantity = "inverse_depth"

    @model_validator(mode="after")
    def _consistent(self) -> ResizeRule:
        if (self.size is None) != (self.fit == "image"):
            raise ValueError(f"fit: {self.fit} {'has no' if self.size else 'needs a'} size")
        return self

    def size_for(self, image: tuple[int, int]) -> tuple[int, int]:
        """The network's (height, width) for an image of this one."""
        if self.size is None:
            return self.rounded(image)
        factors = [wanted / given for wanted, given in zip(self.size, image, strict=True)]
        if self.fit == "long_side":
            factors = [max(self.size) / max(image)] * 2
        elif self.fit == "closest":
            vertical, horizontal = factors
            across = abs(1 - horizontal) < abs(1 - vertical)
            factors = [horizontal if across else vertical] * 2
        height, width = (f * side for f, side in zip(factors, image, strict=True))
        return self._side(height), self._side(width)

    def rounded(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) next to ``size`` that the network takes."""
        return self._side(size[0]), self._side(size[1])

    def _side(self, length: float) -> int:
        steps = length / self.multiple
        whole = int(steps) if self.rounding == "down" else round(steps)
        return max(whole, 1) * self.multiple
