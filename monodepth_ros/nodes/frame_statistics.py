"""Statistics of a node's image stream: rates, latency, drops and failures."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

WINDOW = 5.0  # seconds over which rates and latencies are computed
TIMEOUT = 2.0  # seconds without an image, or without a result, after which a node warns


@dataclass
class FrameMetrics:
    """Rates (Hz) and latencies (s) of the last seconds; counts since the start of the node.

    A latency is the time from an image's stamp to the publication of its result, NaN where nothing
    was published. ``recent_failures`` counts the images that failed in the last seconds.
    ``active_seconds`` is the time since activation, ``seconds_without_image`` that since the last
    image or since activation, ``seconds_without_result`` that in which images waited for a result.
    ``idle``: the newest image needs no work. ``failing``: the last image failed.
    ``withheld_reason``: why the last image gave no result although it did not fail; ``withheld``
    counts these images.
    """

    input_rate: float = 0.0
    output_rate: float = 0.0
    latency_median: float = float("nan")
    latency_p95: float = float("nan")
    recent_failures: int = 0
    received: int = 0
    dropped: int = 0
    failed: int = 0
    withheld: int = 0
    active_seconds: float = float("inf")
    seconds_without_image: float = 0.0
    seconds_without_result: float = 0.0
    idle: bool = False
    failing: bool = False
    withheld_reason: str = ""
    last_error: str = ""


class FrameStatistics:
    """Counts images; thread-safe. All times in seconds of a monotonic clock."""

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._lock = threading.Lock()
        self._arrivals: deque[float] = deque()
        self._failures: deque[float] = deque()
        self._latencies: deque[tuple[float, float]] = deque()
        self._known = FrameMetrics()  # the counts, and what became of the last image
        self._last_arrival = self._last_work = self._last_result = -float("inf")
        self._work_since = self._active_since = -float("inf")

    def start(self, now: float) -> None:
        """The node was activated at ``now``; how it ended before does not count."""
        with self._lock:
            self._active_since = self._work_since = now
            self._known.failing, self._known.withheld_reason = False, ""

    def add_image(self, now: float, has_work: bool = True) -> None:
        """An image arrived at ``now``; ``has_work``: it has to be processed."""
        with self._lock:
            self._arrivals.append(now)
            self._known.received += 1
            self._last_arrival = now
            if has_work:
                if now > self._last_work + TIMEOUT:
                    self._work_since = now
                self._last_work = now
            self._remove_old(now)

    def add_dropped(self) -> None:
        """An image was replaced by a newer one before it was processed."""
        with self._lock:
            self._known.dropped += 1

    def add_result(self, now: float, latency: float) -> None:
        """A result was published at ``now``, ``latency`` after its image's stamp."""
        with self._lock:
            self._latencies.append((now, latency))
            self._last_result = now
            self._known.failing, self._known.withheld_reason = False, ""
            self._remove_old(now)

    def add_withheld(self, reason: str, counted: bool = True) -> None:
        """Nothing is published for an image; ``counted``: it is not counted elsewhere."""
        with self._lock:
            self._known.withheld += counted
            self._known.failing, self._known.withheld_reason = False, reason

    def add_failure(self, now: float, reason: str) -> None:
        """An image could not be processed."""
        with self._lock:
            self._failures.append(now)
            self._known.failed += 1
            self._known.last_error = reason
            self._known.failing, self._known.withheld_reason = True, ""

    def metrics(self, now: float) -> FrameMetrics:
        """All metrics at ``now``."""
        with self._lock:
            self._remove_old(now)
            latencies = np.array([latency for _, latency in self._latencies])
            median, p95 = np.percentile(latencies, (50, 95)) if len(latencies) else (np.nan, np.nan)
            waiting = now - max(self._work_since, self._last_result)
            return replace(
                self._known,
                input_rate=len(self._arrivals) / self._window,
                output_rate=len(self._latencies) / self._window,
                latency_median=float(median),
                latency_p95=float(p95),
                recent_failures=len(self._failures),
                active_seconds=now - self._active_since,
                seconds_without_image=now - max(self._last_arrival, self._active_since),
                seconds_without_result=waiting if self._known.received else 0.0,
                idle=self._last_work < self._last_arrival,
            )

    def _remove_old(self, now: float) -> None:
        oldest = now - self._window
        for times in (self._arrivals, self._failures):
            while times and times[0] <= oldest:
                times.popleft()
        while self._latencies and self._latencies[0][0] <= oldest:
            self._latencies.popleft()
