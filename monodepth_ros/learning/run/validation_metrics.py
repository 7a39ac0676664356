"""Figures of a validation, gathered batch by batch over all processes."""

from __future__ import annotations

import torch
from lightning.pytorch.strategies import Strategy
from torch import Tensor


class ValidationFigures:
    """A value for each image; NaN where an image has none."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}

    def add(self, name: str, values: Tensor) -> None:
        """Those of a batch, ``(B,)``."""
        self._values.setdefault(name, []).append(values.detach().float())

    def means(self, strategy: Strategy) -> dict[str, Tensor]:
        """Over the images of all processes that have a value; begins anew."""
        means = {}
        for name, chunks in sorted(self._values.items()):
            values = torch.cat(chunks)
            known = values[~values.isnan()]
            total = torch.stack([known.sum(), known.new_tensor(float(known.numel()))])
            total = strategy.reduce(total, reduce_op="sum")
            means[name] = total[0] / total[1]
        self._values.clear()
        return means
