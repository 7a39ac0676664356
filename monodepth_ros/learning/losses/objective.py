"""What every objective returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """A loss to minimise and what it is made of.

    ``loss`` is a scalar with its graph. ``terms`` are its weighted parts, detached scalars that sum
    to the loss. ``statistics`` are further detached scalars worth watching.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    statistics: dict[str, Tensor] = field(default_factory=dict)
