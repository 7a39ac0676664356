"""Ending a run early, at a step's end: by a signal, or when its time is up."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(Exception):
    """A signal ended the run before its last step."""


class TimeBudget(Callback):
    """Counts the minutes spent training, over all sessions of a run, and stops at the limit.

    Time in which the process was stopped by SIGSTOP does not count.
    """

    def __init__(self, max_minutes: float | None) -> None:
        self.max_minutes = max_minutes
        self._earlier_seconds = 0.0
        self._started: float | None = None
        self._last_step = 0.0  # when it ended
        self._former: Any = None

    @property
    def minutes(self) -> float:
        """Minutes of this and the earlier sessions."""
        now = 0.0 if self._started is None else time.monotonic() - self._started
        return (self._earlier_seconds + now) / 60.0

    def spent(self) -> float:
        """The part of the budget that is gone, 0 where there is no budget."""
        return 0.0 if self.max_minutes is None else self.minutes / self.max_minutes

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Start the clock."""
        self._started = self._last_step = time.monotonic()
        self._former = signal.signal(signal.SIGCONT, self._go_on)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop when the time is up, all processes at the same step."""
        self._last_step = time.monotonic()
        if self.max_minutes is None:
            return
        trainer.should_stop |= _any_process(trainer, self.spent() >= 1.0)

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give the signal back."""
        if self._started is not None:
            signal.signal(signal.SIGCONT, self._former)

    def _go_on(self, number: int, frame: FrameType | None) -> None:
        """After a stop, whose beginning nobody is told: count on from the last step's end."""
        assert self._started is not None
        now = time.monotonic()
        self._started += now - self._last_step
        self._last_step = now

    def state_dict(self) -> dict[str, Any]:
        """The seconds spent so far."""
        return {"seconds": 60.0 * self.minutes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self._earlier_seconds = state_dict["seconds"]


class StopSignals(Callback):
    """SIGINT and SIGTERM end the run after the step under way; a second SIGINT ends it at once."""

    def __init__(self) -> None:
        self.received = False  # by this process
        self.stopped = False  # by any
        self._former: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Take the signals over (the trainer's own handling would stop within a step)."""
        self._former = {s: signal.signal(s, self._note) for s in _SIGNALS}

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Stop when any process got a signal."""
        if _any_process(trainer, self.received):
            self.stopped = True
            trainer.should_stop = True
            trainer.limit_val_batches = 0  # whoever stops a run does not want to wait

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        """Give the signals back."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = True


def _any_process(trainer: lightning.Trainer, decision: bool) -> bool:
    if trainer.world_size == 1:
        return decision
    return bool(trainer.strategy.reduce_boolean_decision(decision, all=False))
