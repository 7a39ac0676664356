"""Bags with a mark of the recorder that wrote them: by the mark, never by names, bags are its own.

The mark is a file beside the bag's own files, which readers of bags pass over. It holds the name of
the bag: one that somebody has renamed or copied is theirs, and is not counted or removed any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, NamedTuple

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.bags.file import is_bag
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.errors import UserError

MARK = "monodepth_recorder.json"
_QUIET = 10.0  # seconds without a write, after which an unmarked bag without its end is cut off


@dataclass(frozen=True)
class Mark:
    """What a recorder notes in a bag when it begins it.

    ``recorder`` is the full name of the node. ``number`` grows from bag to bag of a folder: clocks
    jump, it does not.
    """

    recorder: str
    prefix: str
    bag: str
    number: int
    snapshot: bool


@dataclass(frozen=True)
class MarkedBag:
    """A bag whose mark holds its name."""

    path: Path
    mark: Mark

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())

    @property
    def in_progress(self) -> bool:
        """Whether a recorder that runs is writing it."""
        try:
            with open(self.path / MARK, "rb") as mark:
                fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:  # others: it is gone meanwhile, or a file system without locks
            return isinstance(error, BlockingIOError)
        return False

    def remove(self) -> None:
        """Remove it, the mark last: when this is interrupted, what is left is still marked."""
        for file in self.path.iterdir():
            if file.is_dir() and not file.is_symlink():
                shutil.rmtree(file)
            elif file.name != MARK:
                file.unlink()
        shutil.rmtree(self.path)


def marked_bags(
    folder: Path, belongs: Callable[[Mark], bool] = lambda mark: True
) -> list[MarkedBag]:
    """The bags in ``folder`` whose mark ``belongs``, oldest first."""
    if not folder.is_dir():
        return []
    marks = [(path, _read_mark(path)) for path in folder.iterdir() if not path.is_symlink()]
    found = [MarkedBag(path, mark) for path, mark in marks if mark is not None and belongs(mark)]
    return sorted(found, key=lambda bag: (bag.mark.number, bag.path.name))


def unmarked_bags(folder: Path, prefix: str) -> list[Path]:
    """Bags in ``folder`` without a mark whose names begin with ``prefix_``; of an empty one all."""
    if not folder.is_dir():
        return []
    start = f"{prefix}_" if prefix else ""
    named = [path for path in folder.iterdir() if path.name.startswith(start)]
    return sorted(path for path in named if _read_mark(path) is None and is_bag(path))


class MarkedBagWriter(BagWriter):
    """A new bag with a mark; while it is being written, its mark is locked."""

    def __init__(self, path: Path, recorder: str, prefix: str, snapshot: bool = False) -> None:
        number = 1 + max((bag.mark.number for bag in marked_bags(path.parent)), default=0)
        super().__init__(path)
        self._mark: IO[bytes] | None = None
        try:
            mark = Mark(recorder, prefix, path.name, number, snapshot)
            with atomic_path(path / MARK) as temporary:
                temporary.write_text(json.dumps(asdict(mark), indent=1) + "\n")
            self._mark = open(path / MARK, "rb")  # noqa: SIM115 - its lock lasts until it is closed
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(self._mark, fcntl.LOCK_EX)
        except BaseException:
            self.abandon()
            raise

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        super().close()
        self._unlock()

    def abandon(self) -> None:
        """Let go of a file that cannot be written any more."""
        super().abandon()
        self._unlock()

    def _unlock(self) -> None:
        if self._mark is not None:
            self._mark.close()


def _read_mark(bag: Path) -> Mark | None:
    """The mark in ``bag``; None where there is none, or it is not that of a bag of this name."""
    try:
        mark = Mark(**json.loads((bag / MARK).read_text()))
        known = all(isinstance(text, str) for text in (mark.recorder, mark.prefix))
        whole = known and isinstance(mark.number, int) and isinstance(mark.snapshot, bool)
    except (OSError, ValueError, TypeError):
        return None
    return mark if whole and mark.bag == bag.name else None


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
