"""What a recorder tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Failures(NamedTuple):
    """Messages of one topic that could not be treated as wanted, and why the last could not.

    ``now`` says whether the topic's last message was one of them.
    """

    messages: int
    reason: str
    now: bool


@dataclass(frozen=True)
class RecorderFigures:
    """What became of the messages; ``trouble`` says why recording has stopped by itself.

    ``left_out`` were not selected, ``lost`` came faster than the disk could take them or were not
    on the disk yet when it failed, ``failed`` could not be stored: each message counts once.
    ``megabytes`` are written in all. ``failures`` are those that failed by topic; ``as_they_came``
    are by topic those that should have been stored in another form, and were stored as they came.
    """

    recording: bool
    bag: Path | None
    written: int
    left_out: int
    lost: int
    failed: int
    megabytes: float
    waiting_megabytes: float
    trouble: str
    failures: Mapping[str, Failures]
    as_they_came: Mapping[str, Failures]
