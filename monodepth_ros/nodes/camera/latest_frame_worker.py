"""A thread that processes the newest frame and drops older ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Frame = TypeVar("Frame")


class LatestFrameWorker(Generic[Frame]):
    """Processes frames on a thread of its own, so that the caller never waits.

    At most one frame waits, the newest one. The latency is bounded by two processing times,
    whatever the rate of the frames.
    """

    def __init__(
        self, work: Callable[[Frame], None], on_error: Callable[[Exception], None]
    ) -> None:
        """``work`` processes a frame, ``on_error`` gets its exceptions; both run on the thread."""
        self._work, self._on_error = work, on_error
        self._changed = threading.Condition()
        self._waiting: Frame | None = None
        self._stopping = False
        self.dropped = 0  # frames that were replaced by a newer one before they were processed
        self._thread = threading.Thread(target=self._run, name="latest-frame-worker", daemon=True)
        self._thread.start()

    def offer(self, frame: Frame) -> None:
        """Submit a frame; returns at once."""
        with self._changed:
            if self._stopping:
                return
            self.dropped += self._waiting is not None
            self._waiting = frame
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """End the thread after the current frame; a waiting frame is discarded.

        Returns False after ``timeout`` seconds; the thread then ends later by itself.
        """
        with self._changed:
            self._stopping = True
            self._waiting = None
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None or self._stopping)
                if self._waiting is None:
                    return
                frame, self._waiting = self._waiting, None
            try:
                self._work(frame)
            except Exception as error:  # a bad frame must not end the thread
                self._on_error(error)
