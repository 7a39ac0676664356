"""Ending a run early, at a step's end: by a signal, or when its time is up."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

import torch
from lightning.fabric import Fabric

from monodepth_ros.errors import Failure
from monodepth_ros.learning.run.state import State

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Failure):
    """A signal ended the run before its last step."""


class TimeBudget:
    """While it is open, counts the seconds spent training, over all sessions of a run.

    It stops the run at the limit. Time in which the process was stopped by SIGSTOP does not count.
    """

    def __init__(self, fabric: Fabric, max_minutes: float | None) -> None:
        self.fabric, self.max_minutes = fabric, max_minutes

    def __enter__(self) -> TimeBudget:
        self._counted = time.monotonic()  # until when
        self._former = signal.signal(signal.SIGCONT, self._go_on)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGCONT, self._former)

    def __call__(self, state: State) -> None:
        """Count a step; stop when the time is up, all processes at the same step."""
        now = time.monotonic()
        state.seconds += now - self._counted
        self._counted = now
        if self.max_minutes is not None:
            state.stop |= any_process(self.fabric, state.seconds >= 60.0 * self.max_minutes)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        """After a stop, whose beginning nobody is told: count on from the last step's end."""
        self._counted = time.monotonic()


class StopSignals:
    """While it is open, SIGINT and SIGTERM end the run after the step under way.

    A second SIGINT ends it at once.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.received = False  # by this process
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        self._former = {s: signal.signal(s, self._note) for s in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def __call__(self, state: State) -> None:
        """Stop when any process got a signal."""
        if any_process(self.fabric, self.received):
            state.stop = state.interrupted = True

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True


def any_process(fabric: Fabric, decision: bool) -> bool:
    """Whether a process of the run says so."""
    if fabric.world_size == 1:
        return decision
    votes = torch.tensor(float(decision), device=fabric.device)
    fabric.all_reduce(votes, reduce_op="sum")
    return bool(votes > 0)
