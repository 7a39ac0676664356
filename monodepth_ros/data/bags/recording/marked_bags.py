"""Bags with a mark of the recorder that wrote them: by the mark, never by names, bags are its own.

The mark is a file beside the bag's own files, which readers of bags pass over. It holds the name of
the bag: one that somebody has renamed or copied is theirs, and is not counted or removed any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.bags.file import is_bag
from monodepth_ros.data.bags.recording.writer import BagWriter

MARK = "monodepth_recorder.json"


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
        except BlockingIOError:
            return True
        except OSError:  # gone meanwhile, or a file system without locks
            return False
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
