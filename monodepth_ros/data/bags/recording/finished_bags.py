"""The recorder's bags that can be learnt from."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from monodepth_ros.data.bags.file import is_bag
from monodepth_ros.data.bags.recording.marked_bags import marked_bags, unmarked_bags

_QUIET = 10.0  # seconds without a write, after which an unmarked bag without its end is cut off


class FinishedBags(NamedTuple):
    """``bags``, oldest first, and for a person what was ``left_out`` of the same prefix."""

    bags: list[Path]
    left_out: list[str]


def finished_bags(folder: Path, prefix: str, newest: int = 0) -> FinishedBags:
    """The bags in ``folder`` that recorders with this ``prefix`` have written and ended.

    A recorder's mark in the bag tells, not the bag's name. An empty prefix takes every bag, whoever
    wrote it; those without a mark come first, by name. A bag cut off by a kill or a power cut is
    finished. Snapshots, and bags that are being written, are left out. ``newest`` takes that many
    of the last; 0 takes all.
    """
    marked = marked_bags(folder, lambda mark: mark.prefix == prefix or not prefix)
    unmarked = unmarked_bags(folder, prefix)
    recordings = [bag for bag in marked if not bag.mark.snapshot]
    finished = [b.path for b in recordings if not b.in_progress and is_bag(b.path)]
    in_progress = [bag for bag in recordings if bag.in_progress]
    if not prefix:
        finished = [bag for bag in unmarked if _ended(bag)] + finished
    counts = {
        "being written": len(in_progress) + sum(not prefix and not _ended(b) for b in unmarked),
        "snapshots": len(marked) - len(recordings),
        "without a recorder's mark": len(unmarked) if prefix else 0,
    }
    left_out = [f"{count} {reason}" for reason, count in counts.items() if count]
    return FinishedBags(finished[-newest:] if newest else finished, left_out)


def _ended(bag: Path) -> bool:
    """Whether nobody writes an unmarked bag any more."""
    if not bag.is_dir() or (bag / "metadata.yaml").is_file():
        return True
    written = max(file.stat().st_mtime for file in bag.iterdir())
    return time.time() - written > _QUIET
