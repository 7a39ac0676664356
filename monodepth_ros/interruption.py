"""Signals while modules load or errors are printed: the process ends at once, with no traceback."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def end_by_signals() -> None:
    """From now on SIGINT and SIGTERM end the process with 128 and their number, as in a shell."""
    for number in SIGNALS:
        signal.signal(number, _end)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """As `end_by_signals`, until the block ends."""
    with _former_handlers_after():
        end_by_signals()
        yield


@contextmanager
def interruptible() -> Iterator[None]:
    """Until the block ends, SIGINT raises KeyboardInterrupt and SIGTERM ends, as Python begins."""
    with _former_handlers_after():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield


@contextmanager
def _former_handlers_after() -> Iterator[None]:
    former = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _end(number: int, *_: object) -> None:
    os._exit(128 + number)  # an exception would go through modules that are half imported
