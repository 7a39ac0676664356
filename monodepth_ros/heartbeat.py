"""A line about work under way at least every half minute, for logs and whoever reads them."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

_SECONDS = 25.0  # without a line, after which one is due


class Heartbeat:
    """While it is open, prints to stderr what ``tell()`` says whenever no line came for a while.

    ``say`` prints a line of its own, after which the next one has time. Closed, it is silent.
    """

    def __init__(self, tell: Callable[[], str]) -> None:
        self._tell = tell
        self._said = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def say(self, line: str) -> None:
        """Print a line now."""
        self._said = time.monotonic()
        print(line, file=sys.stderr, flush=True)

    def _beat(self) -> None:
        wait = _SECONDS
        while not self._closed.wait(wait):
            wait = self._said + _SECONDS - time.monotonic()
            if wait <= 0:
                self.say(self._tell())
                wait = _SECONDS

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
