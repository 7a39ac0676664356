"""The recorder's bags that can be learnt from."""

from __future__ import annotations

import time
from pathlib import Path

from monodepth_ros.data.bag_file import is_bag

_QUIET = 10.0  # seconds without a write, after which a bag without its end counts as cut off


def finished_bags(folder: Path, prefix: str, newest: int = 0) -> list[Path]:
    """The bags in ``folder`` whose names begin with ``prefix_``, oldest first.

    A bag that is being written is left out. ``newest`` takes that many of the last; 0 takes all.
    """
    if not folder.is_dir():
        return []
    bags = [path for path in sorted(folder.glob(f"{prefix}_*")) if path.is_dir() and is_bag(path)]
    finished = [bag for bag in bags if (bag / "metadata.yaml").is_file() or _quiet(bag)]
    return finished[-newest:] if newest else finished


def _quiet(bag: Path) -> bool:
    written = max(file.stat().st_mtime for file in bag.iterdir())
    return time.time() - written > _QUIET
