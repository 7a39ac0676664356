"""Depth compared with that of a frozen model, to learn from it or to stay near it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monodepth_ros.learning.losses.depth_terms.comparison import DepthComparison
from monodepth_ros.learning.losses.loss import Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class TeacherDepth(DepthComparison):
    """What ``networks.teacher`` says of the same images counts as true."""

    name = "teacher"
    needs = frozenset({"teacher"})
    teaches = frozenset({"depth"})

    def __call__(self, step: Step) -> Terms:
        """As `compare`."""
        return self.compare(step, step.teacher_depth)
