"""Prints a line about the progress of long work at least every half minute."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

_PERIOD = 25.0  # seconds


class Heartbeat:
    """While it is open, prints ``describe()`` to stderr when there was no line for a while.

    ``write`` prints another line, which delays the next one.
    """

    def __init__(self, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._printed_at = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def write(self, line: str) -> None:
        """Print a line now."""
        self._printed_at = time.monotonic()
        print(line, file=sys.stderr, flush=True)

    def _beat(self) -> None:
        wait = _PERIOD
        while not self._closed.wait(wait):
            wait = self._printed_at + _PERIOD - time.monotonic()
            if wait <= 0:
                self.write(self._describe())
                wait = _PERIOD

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
