"""Depth compared with the truth that recordings hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monodepth_ros.learning.losses.depth_terms.comparison import DepthComparison
from monodepth_ros.learning.losses.loss import Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class Supervised(DepthComparison):
    """Where the recordings hold true depth."""

    name = "supervised"
    needs = frozenset({"depth"})
    teaches = frozenset({"depth"})

    def __call__(self, step: Step) -> Terms:
        """As `compare`."""
        return self.compare(step, step.true_depth)
