"""What a run consists of, and where it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric
from torch import Tensor

from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.step import Batch
from monodepth_ros.learning.step_stream import Plan


@dataclass(frozen=True)
class Run:
    """What stays the same: ``model`` is the learner as Fabric wraps it, for passes through it."""

    fabric: Fabric
    plan: Plan
    folder: Path
    learner: Learner
    model: Any
    optimizer: Any


@dataclass
class State:
    """Where a run is. What is called at a step's end reads it, and may end the run by ``stop``.

    What a run resumes from: ``step``, the steps done; ``seconds`` spent on them; ``validation``,
    the figures found last; ``best``, the lowest of the monitored ones, and its step.
    """

    step: int = 0
    seconds: float = 0.0
    validation: dict[str, float] = field(default_factory=dict)
    best: float | None = None
    best_step: int | None = None
    # Of the last step:
    batch: Batch = field(default_factory=dict)  # prepared
    terms: list[dict[str, Tensor]] = field(default_factory=list)  # of each batch, with its loss
    rate: float = 0.0  # of learning
    figures: dict[str, float] = field(default_factory=dict)  # logged last
    stop: bool = False
    interrupted: bool = False  # by a signal: whoever stops a run does not want to wait
