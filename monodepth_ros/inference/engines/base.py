"""What runs a model's networks, whatever library does it.

All that uses a model knows this protocol alone: a new engine is one file beside this one and one
line in `registry.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.zoo.card import ModelCard

Rgb = NDArray[np.uint8]


class DepthMaps(NamedTuple):
    """What one run of the depth network gives, float32.

    ``inverse_depth`` ``(B, h, w)`` as of `Engine.inverse_depth`. ``log_variance``: natural
    logarithm of the variance of natural log depth, as the network says it, without the card's
    temperature, and ``(B, h', w')`` at its size; None where it says nothing of that.
    """

    inverse_depth: NDArray[np.float32]
    log_variance: NDArray[np.float32] | None = None


class Frames(Protocol):
    """Images as the networks of one engine take them: at their size, on its device."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) at which the networks see them: ``card.size_for`` tells it before."""

    def pixels(self) -> Rgb:
        """``(B, h, w, 3)``: what the networks see, as bytes."""

    def mirrored(self) -> Frames:
        """The same images, left and right exchanged."""

    def joined(self, others: Sequence[Frames]) -> Frames:
        """One batch of these images and those of ``others``, frames of this engine and size."""


class Engine(Protocol):
    """A loaded model. Units are the network's own; `DepthEstimator` makes metres of them.

    Its card fixes the networks' size, or says by its ``resize`` how it follows from that of an
    image. ``size`` is then that of a 640x480 image: what an engine makes ready when it is loaded.
    Others are made ready when the first image asks for them.
    """

    card: ModelCard
    device: str
    precision: str
    size: tuple[int, int]  # (height, width) at which the networks run: `card.usual_size`
    has_motion: bool  # whether the model has a pose network
    chosen: str  # why `auto` took this engine and precision; empty until `load_engine` says so

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
    ) -> Engine:
        """Load the model in ``folder``, whose card is ``card``; called by `load_engine`.

        ``size`` is the card's `usual_size`; where the user has asked for one, the card has it.
        ``device`` ``auto`` is the fastest that there is, ``threads`` 0 one for each core.
        :class:`UserError` where the engine cannot run the model as asked, above all where library
        or hardware lack the precision: `auto` tries every precision.
        """

    def describe(self) -> dict[str, str]:
        """What diagnostics say: engine, device, precision and what else matters of it."""

    def prepare(self, images: Rgb) -> Frames:
        """Images ``(B, H, W, 3)``, RGB, resized to the networks' size by the card's kernel.

        They serve both networks, and again as a neighbour of later frames. They do not change when
        ``images`` does.
        """

    def inverse_depth(self, frames: Frames) -> NDArray[np.float32]:
        """``(B, h, w)`` in 1/unit; not finite or not positive where the network cannot tell.

        It covers the frames, at their size or at one of the network's own.
        """

    def motion(self, first: Frames, second: Frames) -> NDArray[np.float32]:
        """``(B, 6)``: axis-angle (radians), then translation, of ``T_second_first``.

        ``first`` is the earlier one. :class:`UserError` for a model without a pose network.
        """


@runtime_checkable
class TellsVariance(Protocol):
    """An engine that also gives what a network says of its own error; others need not.

    Its `Engine.inverse_depth` should not compute that.
    """

    def depth_and_variance(self, frames: Frames) -> DepthMaps:
        """Both by one run; without variance for a model whose card has no ``uncertainty``."""


def depth_and_variance(engine: Engine, frames: Frames) -> DepthMaps:
    """Inverse depth by one run, with its log variance where model and engine have one."""
    if engine.card.uncertainty is not None and isinstance(engine, TellsVariance):
        return engine.depth_and_variance(frames)
    return DepthMaps(engine.inverse_depth(frames))
