"""The log of one camera: each problem once while it lasts, and again after a minute without it."""

from __future__ import annotations

import re
import time
from typing import Any

from monodepth_ros.nodes.reporting_node import LOG_PERIOD

_REPEAT_AFTER = 60.0  # seconds without a problem after which it is logged again
_MAX_CAUSES = 32  # problems that are remembered


class ProblemLog:
    """Logs of one camera, whose name stands before each line if there are several."""

    def __init__(self, logger: Any, camera: str) -> None:
        self._logger, self._prefix = logger, f"{camera}: " if camera else ""
        self._error_at = -LOG_PERIOD
        self._seen_at: dict[str, float] = {}

    def info(self, text: str) -> None:
        """Log a fact."""
        self._logger.info(self._prefix + text)

    def warn(self, text: str) -> None:
        """Log a warning in any case."""
        self._is_new(text)  # so that diagnostics do not log it again
        self._logger.warning(self._prefix + text)

    def warn_once(self, text: str) -> None:
        """Log a warning unless it was logged lately."""
        if self._is_new(text):
            self._logger.warning(self._prefix + text)

    def error_once(self, text: str) -> None:
        """Log an error unless it was logged lately, and at most one a second."""
        now = time.monotonic()
        if now >= self._error_at + LOG_PERIOD and self._is_new(text):
            self._error_at = now
            self._logger.error(self._prefix + text)

    def _is_new(self, text: str) -> bool:
        """Whether there was no such line in the last minute; numbers in it do not matter."""
        cause, now = re.sub(r"[\d.]+", "", text.rpartition(": ")[2]), time.monotonic()
        last = self._seen_at.pop(cause, -_REPEAT_AFTER)
        self._seen_at[cause] = now
        if len(self._seen_at) > _MAX_CAUSES:
            self._seen_at.pop(next(iter(self._seen_at)), None)
        return now >= last + _REPEAT_AFTER
