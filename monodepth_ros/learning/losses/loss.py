"""What a loss is.

A new one is a file beside this and a line in `registry`; recipes name it under ``losses``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, field_validator
from torch import Tensor

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

Need = Literal[
    "neighbours",  # the images before and after the target
    "depth",  # true depth of the target
    "poses",  # true motions to the neighbours
    "masks",  # which pixels of the target mirror something
    "matches",  # points of the target followed into the neighbours, and the motions by them
    "stereo",  # what a second camera saw at the target's time, and where it stands
    "teacher",  # networks.teacher
    "pseudo_depth",  # inverse depth of the target by networks.teacher, but for scale and shift
    "semantics",  # features of the target by a frozen encoder, and of the depth network's own
    "rehearsal",  # frames with true depth of known scenes, beside each batch
]
Network = Literal["depth", "pose", "uncertainty"]


class Section(BaseModel):
    """A part of a recipe: fixed keys, no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Terms:
    """A loss, a scalar with its graph, and detached scalars worth watching."""

    loss: Tensor
    figures: dict[str, Tensor] = field(default_factory=dict)


class Loss(Section, ABC):
    """One term of what training minimises; its fields are its settings in a recipe's ``losses``.

    ``name`` is its name in recipes and logs. ``needs`` says what a batch must hold for it and which
    networks must be there. ``teaches`` names the networks that can learn from it alone. A
    ``weight`` of 0 leaves it and its work out.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()
    teaches: ClassVar[frozenset[Network]] = frozenset()

    weight: NonNegativeFloat = 1.0

    @abstractmethod
    def __call__(self, step: Step) -> Terms:
        """Of a step, without its weight, in full precision; logged as ``name``, figures below it.

        Pixels outside ``step.valid`` do not count.
        """

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """``(B,)`` each, of a batch to validate on, NaN where an image has none; by default none.

        Logged as ``val/figure``.
        """
        return {}


class MultiScaleLoss(Loss):
    """One that is averaged over the scales that a network has, 0 the finest."""

    scales: tuple[int, ...] = Field((0, 1, 2, 3), min_length=1)

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        if min(scales) < 0 or len(set(scales)) != len(scales):
            raise ValueError("scales must be distinct and not negative")
        return scales

    def present(self, maps: Sequence[object]) -> list[int]:
        """Those scales that are among ``maps``, one for each scale."""
        return [scale for scale in self.scales if scale < len(maps)]
