"""Depth of known scenes compared with their truth, so that a model does not forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from monodepth_ros.learning.losses.depth_terms.comparison import (
    DepthComparison,
    DepthComparisonSettings,
)
from monodepth_ros.learning.losses.loss import Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class RehearsalSettings(DepthComparisonSettings):
    """The folders of the frames are given with the data (``--replay``)."""

    batch_size: PositiveInt = 2  # frames beside each batch, on each device


class Rehearsal(DepthComparison):
    """Single frames beside each batch; without ``--replay`` there are none, and no loss."""

    name = "rehearsal"
    Settings = RehearsalSettings
    needs = frozenset({"rehearsal"})

    def __call__(self, step: Step) -> Terms:
        """As `compare`, of the known frames."""
        known = step.rehearsal
        if known is None:
            return Terms(step.target.new_zeros(()))
        return self.compare(known, known.true_depth)
