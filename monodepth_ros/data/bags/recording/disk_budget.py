"""What bags may take of a disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from monodepth_ros.data.bags.recording.marked_bags import Mark, marked_bags
from monodepth_ros.errors import UserError


def free_bytes(folder: Path) -> int:
    """Bytes that are free where ``folder`` is."""
    return shutil.disk_usage(folder).free


def keep_to_budget(
    folder: Path,
    counts: Callable[[Mark], bool],
    budget: float,
    remove_oldest: bool,
    current: Path | None,
) -> None:
    """Hold the bags in ``folder`` whose mark ``counts`` to so many bytes.

    With ``remove_oldest`` the oldest of them make room; ``current``, and others that are being
    written, stay. UserError where that is not enough, or not wanted.
    """
    bags = [(bag, bag.size) for bag in marked_bags(folder, counts)]
    used = sum(size for _, size in bags)
    for bag, size in bags:
        if used <= budget:
            return
        if remove_oldest and bag.path != current and not bag.in_progress:
            bag.remove()
            used -= size
    if used > budget:
        raise UserError(f"{folder}: the bags there have used up the budget of {budget / 1e6:g} MB")
