"""One thread that works on the newest frame; what comes while it is busy replaces what waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Frame = TypeVar("Frame")


class LatestFrameWorker(Generic[Frame]):
    """Keeps whoever delivers frames from waiting for whoever works on them.

    At most one frame waits, and it is the newest: however fast frames come, a result is never older
    than the work on two of them.
    """

    def __init__(
        self, work: Callable[[Frame], None], on_error: Callable[[Exception], None]
    ) -> None:
        """Take what is done with a frame and with what it raises, both called on the thread."""
        self._work, self._on_error = work, on_error
        self._changed = threading.Condition()
        self._waiting: Frame | None = None
        self._busy = False
        self._stopping = False
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="latest-frame-worker", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many frames a newer one has replaced before their turn."""
        with self._changed:
            return self._dropped

    def offer(self, frame: Frame) -> None:
        """Hand over a frame; returns at once."""
        with self._changed:
            if self._stopping:
                return
            self._dropped += self._waiting is not None
            self._waiting = frame
            self._changed.notify_all()

    def wait_until_idle(self, timeout: float) -> bool:
        """Whether all frames have been worked on within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting is None and not self._busy, timeout)

    def stop(self, timeout: float) -> bool:
        """End the thread after the frame under way; a waiting one is let go.

        False when that takes longer than ``timeout`` seconds: the thread then ends by itself later.
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
                frame, self._waiting, self._busy = self._waiting, None, True
            try:
                self._work(frame)
            except Exception as error:  # a bad frame must not end the thread
                self._on_error(error)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
