"""A thread that processes the newest frame of each camera and drops older ones."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Camera = TypeVar("Camera")
Frame = TypeVar("Frame")


class LatestFramesWorker(Generic[Camera, Frame]):
    """Processes frames on a thread of its own, so that the caller never waits.

    At most one frame of each camera waits, its newest one. Frames that wait together are processed
    together: nothing waits for a camera that is silent. The latency is bounded by two processing
    times, whatever the rates of the frames, as long as a batch has room for all cameras.
    """

    def __init__(
        self,
        work: Callable[[dict[Camera, Frame]], None],
        on_error: Callable[[Exception], None],
        max_batch: int = 0,
    ) -> None:
        """``work`` processes the frames of some cameras; ``on_error`` gets its exceptions.

        Both run on the thread. ``max_batch`` bounds the number of frames; 0 is no bound.
        """
        self._work, self._on_error, self._max_batch = work, on_error, max_batch
        self._changed = threading.Condition()
        self._waiting: dict[Camera, Frame] = {}
        self._last_turns: dict[Camera, int] = {}
        self._turns = itertools.count(1)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="latest-frames-worker", daemon=True)
        self._thread.start()

    def offer(self, camera: Camera, frame: Frame) -> bool:
        """Submit a frame; returns at once whether it replaces one that was not processed."""
        with self._changed:
            if self._stopping:
                return False
            replaces = camera in self._waiting
            self._waiting[camera] = frame
            self._changed.notify_all()
            return replaces

    def stop(self, timeout: float) -> bool:
        """End the thread after the current frames; waiting ones are discarded.

        Returns False after ``timeout`` seconds; the thread then ends later by itself.
        """
        with self._changed:
            self._stopping = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._stopping)
                if not self._waiting:
                    return
                frames = self._next_frames()
            try:
                self._work(frames)
            except Exception as error:  # a bad frame must not end the thread
                self._on_error(error)

    def _next_frames(self) -> dict[Camera, Frame]:
        """The cameras that were served longest ago come first, whatever their rates."""
        turns = sorted(self._waiting, key=lambda camera: self._last_turns.get(camera, 0))
        chosen = turns[: self._max_batch or None]
        self._last_turns.update(zip(chosen, self._turns, strict=False))
        return {camera: self._waiting.pop(camera) for camera in chosen}
