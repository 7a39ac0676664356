"""What a recorder has done with the messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Failures(NamedTuple):
    """Failed messages of one topic, and why the last one failed.

    ``ongoing``: the topic's last message was one of them.
    """

    messages: int
    reason: str
    ongoing: bool


@dataclass(frozen=True)
class RecorderMetrics:
    """Counts of messages, and ``stop_reason``: why recording has stopped by itself.

    Each message counts once. ``skipped`` were not selected. ``lost`` came faster than the disk
    could take them, or were not on the disk yet when it failed. ``failed`` could not be stored;
    ``failures`` has them by topic. ``stored_unchanged`` has the images, by topic, that could not be
    compressed and were stored as they came.
    """

    recording: bool
    bag: Path | None
    written: int
    skipped: int
    lost: int
    failed: int
    written_mb: float
    queued_mb: float
    stop_reason: str
    failures: Mapping[str, Failures]
    stored_unchanged: Mapping[str, Failures]
