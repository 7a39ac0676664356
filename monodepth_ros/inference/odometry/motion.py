"""The motion between two views, and what every method that measures it has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from monodepth_ros.geometry.rigid_motion import Matrix
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.zoo.card import NetworkPart


@dataclass(frozen=True)
class Motion:
    """The camera's motion between two views, measured by ``method``.

    ``T_earlier_later`` is 4x4, float64; its translation is in the views' unit. ``covariance`` is
    6x6 in the axes of the earlier camera: of the translation, then of a small rotation that is
    applied after that of the motion. None: the tracker assumes one (`TrackerSettings`).

    The rest is for diagnostics, None where the method has no such thing: points that agree with the
    motion, ``landmarks`` among them whose place was known before, and the root mean square of their
    errors in pixels of the grey image. ``fallback`` says why this method was taken instead of the
    preferred one, in the same words each time so that it can be counted; empty where it was not.
    """

    T_earlier_later: Matrix
    method: str
    covariance: Matrix | None = None
    inliers: int | None = None
    landmarks: int | None = None
    reprojection_error: float | None = None
    fallback: str = ""

    @property
    def measured(self) -> bool:
        """False for a guess that no point supports; ``fallback`` says why."""
        return self.inliers != 0


class MotionMethod(Protocol):
    """Measures motions by a model. A method is one file and one line in `registry.py`.

    A method may keep what it learnt of the views before (a map). It goes on from there if the
    earlier view is the one that it took last as the later one, and else begins anew.
    """

    networks: ClassVar[Sequence[NetworkPart]]  # that it runs, where the model has them
    sees_grey: ClassVar[bool]  # whether it needs the views' grey images and cameras
    engine: Engine

    def __init__(self, engine: Engine) -> None:
        """Called by `load_method`, for a model that suits the method."""

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        """Why it cannot measure motions by this model, for people; None where it can."""

    def motion(self, earlier: View, later: View) -> Motion:
        """The motion between two views of the engine.

        ArithmeticError where the result is not finite: nothing has changed then.
        """

    def reset(self) -> None:
        """Forget all views."""
