"""What a node tells about its stream: rates, latency, drops, and what went wrong last."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 5.0  # seconds over which rates and latencies are taken
SILENCE = 2.0  # seconds without an image, or without a result, after which a node warns


@dataclass(frozen=True)
class Figures:
    """Of the last seconds, but for the counts, which are of all time.

    ``lately_failed`` counts images of the last seconds that failed. Rates in Hz, latencies in
    seconds from an image's stamp to its result's publication, NaN where nothing was published.
    ``listening`` is the time since the node became active, ``silence`` that since the last image,
    or since then; ``quiet`` that in which there was work and no result. ``idle``: there was no work
    for the newest image. ``failing``: the last image that was worked on failed. ``withheld``: why
    nothing was published of it although it did not.
    """

    input_rate: float = 0.0
    output_rate: float = 0.0
    latency_median: float = float("nan")
    latency_p95: float = float("nan")
    lately_failed: int = 0
    received: int = 0
    published: int = 0
    dropped: int = 0
    failed: int = 0
    held_back: int = 0
    listening: float = float("inf")
    silence: float = 0.0
    quiet: float = 0.0
    idle: bool = False
    failing: bool = False
    withheld: str = ""
    last_error: str = ""


class FrameStatistics:
    """Counts frames; safe to use from the executor and from the worker. Times in seconds."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._arrivals: deque[float] = deque()
        self._failures: deque[float] = deque()
        self._latencies: deque[tuple[float, float]] = deque()
        self._received = self._published = self._failed = self._held_back = 0
        self._last_arrival = self._last_offer = self._last_result = -float("inf")
        self._work_since = self._began = -float("inf")
        self._failing, self._withheld, self._last_error = False, "", ""

    def began(self, now: float) -> None:
        """Note that the node listens from ``now`` on; how it ended before does not count."""
        with self._lock:
            self._began = self._work_since = now
            self._failing, self._withheld = False, ""

    def arrived(self, now: float, wanted: bool = True) -> None:
        """Note an image that came in at ``now``, of a clock that never jumps.

        ``wanted``: there is work to do for it.
        """
        with self._lock:
            self._arrivals.append(now)
            self._received += 1
            self._last_arrival = now
            if wanted:
                if now > self._last_offer + SILENCE:
                    self._work_since = now
                self._last_offer = now
            self._forget(now)

    def published(self, now: float, latency: float) -> None:
        """Note a result that went out at ``now``, ``latency`` after its image's stamp."""
        with self._lock:
            self._latencies.append((now, latency))
            self._published += 1
            self._last_result = now
            self._failing, self._withheld = False, ""
            self._forget(now)

    def withheld(self, reason: str, counted: bool = True) -> None:
        """Note an image of which nothing is published for a ``reason``.

        ``counted``: among those that are held back, and not elsewhere.
        """
        with self._lock:
            self._held_back += counted
            self._failing, self._withheld = False, reason

    def failed(self, now: float, reason: str) -> None:
        """Note an image that could not be worked on."""
        with self._lock:
            self._failures.append(now)
            self._failed += 1
            self._last_error = reason
            self._failing, self._withheld = True, ""

    def figures(self, now: float, dropped: int = 0) -> Figures:
        """All figures at ``now``; ``dropped`` is what the worker has counted."""
        with self._lock:
            self._forget(now)
            latencies = np.array([latency for _, latency in self._latencies])
            median, p95 = np.percentile(latencies, (50, 95)) if len(latencies) else (np.nan, np.nan)
            idle = self._last_offer < self._last_arrival
            return Figures(
                input_rate=len(self._arrivals) / self._window,
                output_rate=len(self._latencies) / self._window,
                latency_median=float(median),
                latency_p95=float(p95),
                lately_failed=len(self._failures),
                received=self._received,
                published=self._published,
                dropped=dropped,
                failed=self._failed,
                held_back=self._held_back,
                listening=now - self._began,
                silence=now - max(self._last_arrival, self._began),
                quiet=now - max(self._work_since, self._last_result) if self._received else 0.0,
                idle=idle,
                failing=self._failing,
                withheld=self._withheld,
                last_error=self._last_error,
            )

    def _forget(self, now: float) -> None:
        oldest = now - self._window
        for times in (self._arrivals, self._failures):
            while times and times[0] <= oldest:
                times.popleft()
        while self._latencies and self._latencies[0][0] <= oldest:
            self._latencies.popleft()
