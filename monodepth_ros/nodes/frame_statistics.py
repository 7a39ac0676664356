"""What a node tells about its stream: rates, latency, drops, and what went wrong last."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW = 5.0  # seconds over which rates and latencies are taken


@dataclass(frozen=True)
class Figures:
    """Of the last seconds, but for the counts, which are of all time.

    ``offered`` and ``lately_failed`` count images of the last seconds: those there was work to do
    for, and those that came to nothing. Rates in Hz, latencies in seconds from an image's stamp to
    its result's publication, NaN where nothing was published. ``silence`` is the time since the
    last image, infinite before the first.
    """

    input_rate: float
    output_rate: float
    latency_median: float
    latency_p95: float
    offered: int
    lately_failed: int
    received: int
    published: int
    dropped: int
    failed: int
    silence: float
    last_error: str


class FrameStatistics:
    """Counts frames; safe to use from the executor and from the worker. Times in seconds."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._arrivals: deque[float] = deque()
        self._offers: deque[float] = deque()
        self._failures: deque[float] = deque()
        self._latencies: deque[tuple[float, float]] = deque()
        self._received = self._published = self._failed = 0
        self._last_arrival = -float("inf")
        self._last_error = ""

    def arrived(self, now: float) -> None:
        """Note an image that came in at ``now``, of a clock that never jumps."""
        with self._lock:
            self._arrivals.append(now)
            self._received += 1
            self._last_arrival = now
            self._forget(now)

    def offered(self, now: float) -> None:
        """Note that there is work to do for an image."""
        with self._lock:
            self._offers.append(now)
            self._forget(now)

    def published(self, now: float, latency: float) -> None:
        """Note a result that went out at ``now``, ``latency`` after its image's stamp."""
        with self._lock:
            self._latencies.append((now, latency))
            self._published += 1
            self._forget(now)

    def failed(self, now: float, reason: str) -> None:
        """Note an image that could not be worked on."""
        with self._lock:
            self._failures.append(now)
            self._failed += 1
            self._last_error = reason

    def figures(self, now: float, dropped: int = 0) -> Figures:
        """All figures at ``now``; ``dropped`` is what the worker has counted."""
        with self._lock:
            self._forget(now)
            latencies = np.array([latency for _, latency in self._latencies])
            median, p95 = np.percentile(latencies, (50, 95)) if len(latencies) else (np.nan, np.nan)
            return Figures(
                input_rate=len(self._arrivals) / self._window,
                output_rate=len(self._latencies) / self._window,
                latency_median=float(median),
                latency_p95=float(p95),
                offered=len(self._offers),
                lately_failed=len(self._failures),
                received=self._received,
                published=self._published,
                dropped=dropped,
                failed=self._failed,
                silence=now - self._last_arrival,
                last_error=self._last_error,
            )

    def _forget(self, now: float) -> None:
        oldest = now - self._window
        for times in (self._arrivals, self._offers, self._failures):
            while times and times[0] <= oldest:
                times.popleft()
        while self._latencies and self._latencies[0][0] <= oldest:
            self._latencies.popleft()
