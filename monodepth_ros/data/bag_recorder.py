"""Recording of messages to bags in a thread of its own, which no full disk and no kill can spoil.

Every split is a bag of its own, ``PREFIX_DATE_TIME_N``. Chunks are brought to the disk every few
seconds: a recorder that is killed leaves a bag that reads up to the last of them.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rosbags.interfaces import Qos

from monodepth_ros.data.bag_writer import BagWriter
from monodepth_ros.errors import UserError

_MEGABYTE = 1_000_000
_IDLE = 0.2  # seconds between two looks at the clock, when nothing comes


class Recorded(NamedTuple):
    """A serialised message, when it came in nanoseconds, and what its publishers offer."""

    topic: str
    kind: str
    stamp: int
    data: bytes
    qos: Sequence[Qos] = ()


@dataclass(frozen=True)
class RecorderSettings:
    """Lengths in seconds, sizes in megabytes of 10^6 bytes; 0 switches a limit off."""

    folder: Path
    prefix: str = "monodepth"
    chunk_seconds: float = 2.0
    split_seconds: float = 0.0
    split_megabytes: float = 4000.0
    budget_megabytes: float = 0.0  # of all bags of this prefix in the folder
    remove_oldest: bool = False  # rather than to stop, when the budget is used up
    spare_megabytes: float = 500.0  # that stay free on the disk
    snapshot_seconds: float = 0.0
    snapshot_megabytes: float = 500.0
    queue_megabytes: float = 200.0  # waiting for a slow disk; what comes on top is lost


@dataclass(frozen=True)
class RecorderFigures:
    """What became of the messages; ``trouble`` says why recording has stopped by itself.

    ``left_out`` were not selected, ``lost`` came faster than the disk could take them.
    ``megabytes`` are written in all. ``refused`` are topics that cannot be written, and why.
    """

    recording: bool
    bag: Path | None
    written: int
    left_out: int
    lost: int
    megabytes: float
    waiting_megabytes: float
    trouble: str
    refused: Mapping[str, str]


class BagRecorder:
    """Takes messages from any thread and never makes them wait."""

    def __init__(
        self,
        settings: RecorderSettings,
        definition: Callable[[str], str] | None = None,
        selected: Callable[[Recorded], bool] = lambda _: True,
        stored: Callable[[Recorded], Recorded] = lambda message: message,
    ) -> None:
        """Start the thread; what is given here is called there.

        Args:
            settings: where, how much, and how often.
            definition: gives that of a type which is not one of the common ones.
            selected: whether to record a message; a snapshot holds all of them.
            stored: what is written of a message.
        """
        self.settings = settings
        self._definition, self._selected, self._stored = definition, selected, stored
        self._changed = threading.Condition()
        self._queue: deque[Recorded] = deque()
        self._ring: deque[Recorded] = deque()
        self._waiting = self._kept = 0  # bytes in the queue and in the ring
        self._recording = self._closing = False
        self._writer: BagWriter | None = None
        self._newest: Path | None = None  # the bag under way, or the last one since the start
        self._opened = self._flushed = 0.0
        self._written = self._left_out = self._lost = self._bytes = self._number = 0
        self._trouble = ""
        self._refused: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Record from now on. UserError when the folder cannot be written."""
        try:
            self.settings.folder.mkdir(parents=True, exist_ok=True)
            probe = self.settings.folder / f".{self.settings.prefix}_probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"cannot record to {self.settings.folder}: {error.strerror}") from None
        with self._changed:
            self._recording, self._trouble, self._number = True, "", 0
            self._newest = None

    def stop(self) -> Path | None:
        """Record what has come so far, end the bag, and return it; None if nothing was recorded."""
        with self._changed:
            self._recording = False
            self._changed.notify()
            self._changed.wait_for(lambda: self._writer is None and not self._queue, timeout=30.0)
            bag, self._newest = self._newest, None
            return bag

    def close(self) -> None:
        """Stop, and end the thread."""
        self.stop()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=30.0)

    def offer(self, message: Recorded) -> None:
        """Keep a message for a snapshot, and record it if that is switched on."""
        with self._changed:
            if self.settings.snapshot_seconds > 0:
                self._remember(message)
            if not self._recording:
                return
            if self._waiting + len(message.data) > self.settings.queue_megabytes * _MEGABYTE:
                self._lost += 1
                return
            self._queue.append(message)
            self._waiting += len(message.data)
            self._changed.notify()

    def snapshot(self) -> Path:
        """Write the last seconds to a bag of their own and return it. UserError when it fails."""
        if self.settings.snapshot_seconds <= 0:
            raise UserError("snapshots are switched off: snapshot_seconds is 0")
        with self._changed:
            kept = list(self._ring)
        if not kept:
            raise UserError("nothing has come yet that a snapshot could hold")
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        if self._free() < self.settings.spare_megabytes * _MEGABYTE + self._kept:
            raise UserError(f"{self.settings.folder}: not enough space for a snapshot")
        path = self._new_path("snapshot")
        writer = BagWriter(path)
        try:
            for message in kept:
                self._write(writer, message)
            writer.flush()
            writer.close()
        except OSError as error:
            writer.abandon()
            raise UserError(f"{path}: {error.strerror}: the snapshot is not complete") from None
        return path

    def figures(self) -> RecorderFigures:
        """How it stands."""
        with self._changed:
            return RecorderFigures(
                self._recording,
                None if self._writer is None else self._writer.path,
                self._written,
                self._left_out,
                self._lost,
                self._bytes / _MEGABYTE,
                self._waiting / _MEGABYTE,
                self._trouble,
                dict(self._refused),
            )

    def _remember(self, message: Recorded) -> None:
        self._ring.append(message)
        self._kept += len(message.data)
        oldest = message.stamp - round(self.settings.snapshot_seconds * 1e9)
        limit = self.settings.snapshot_megabytes * _MEGABYTE
        # A clock that jumps back leaves messages from the future, which are as old as the rest.
        while self._ring[0].stamp < oldest or self._kept > limit:
            self._kept -= len(self._ring.popleft().data)
            if not self._ring:
                break

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing, _IDLE)
                if self._closing and not self._queue and self._writer is None:
                    return
                batch = list(self._queue)
                ends = not self._recording
            try:
                for message in batch:
                    self._taken(message, self._selected(message) and self._record(message))
                self._keep_safe()
                if ends and self._writer is not None:
                    self._end_bag()
            except (OSError, UserError) as error:
                self._give_up(str(error))
            except Exception as error:  # whatever it is, it must not pass unseen
                self._give_up(f"{type(error).__name__}: {error}")
            with self._changed:
                self._changed.notify_all()

    def _taken(self, message: Recorded, written: bool) -> None:
        with self._changed:
            self._queue.popleft()
            self._waiting -= len(message.data)
            self._written += written
            self._left_out += not written

    def _record(self, message: Recorded) -> bool:
        """Whether it is written."""
        if self._writer is not None and self._full(self._writer):
            self._end_bag()
        if self._writer is None:
            self._check_space()
            self._number += 1
            writer = BagWriter(self._new_path(str(self._number)))
            self._opened = self._flushed = time.monotonic()
            with self._changed:
                self._writer, self._newest = writer, writer.path
        return self._write(self._writer, message)

    def _write(self, writer: BagWriter, message: Recorded) -> bool:
        """Whether it is written: one topic's strange type must not end the recording of others."""
        if message.topic in self._refused:
            return False
        try:
            stored = self._stored(message)
            if not writer.knows(stored.kind) and self._definition is not None:
                writer.define(stored.kind, self._definition(stored.kind))
            writer.write(stored.topic, stored.kind, stored.stamp, stored.data, stored.qos)
        except OSError:
            raise
        except Exception as error:  # whatever a definition or an image leads to
            with self._changed:
                self._refused[message.topic] = f"{type(error).__name__}: {error}"
            return False
        self._bytes += len(stored.data)
        return True

    def _full(self, writer: BagWriter) -> bool:
        """Whether the bag has reached the length or the size at which the next one begins."""
        settings = self.settings
        age = time.monotonic() - self._opened
        return (0 < settings.split_seconds <= age) or (
            0 < settings.split_megabytes * _MEGABYTE <= writer.size
        )

    def _keep_safe(self) -> None:
        """Bring what is written to the disk, in time, while there is space for more."""
        now = time.monotonic()
        if self._writer is not None and now >= self._flushed + self.settings.chunk_seconds:
            self._writer.flush()
            self._flushed = now
            self._check_space()

    def _check_space(self) -> None:
        """UserError when no more may be written."""
        settings = self.settings
        if self._free() < settings.spare_megabytes * _MEGABYTE:
            raise UserError(
                f"{settings.folder}: less than {settings.spare_megabytes:g} MB are free on the disk"
            )
        if settings.budget_megabytes <= 0:
            return
        bags = sorted(self._own_bags(), key=lambda bag: bag.stat().st_mtime)
        used = sum(_size(bag) for bag in bags)
        current = None if self._writer is None else self._writer.path
        for bag in bags:
            if used <= settings.budget_megabytes * _MEGABYTE:
                return
            if settings.remove_oldest and bag != current:
                used -= _size(bag)
                shutil.rmtree(bag)
        if used > settings.budget_megabytes * _MEGABYTE:
            raise UserError(
                f"{settings.folder}: the bags there have used up the budget of"
                f" {settings.budget_megabytes:g} MB"
            )

    def _own_bags(self) -> list[Path]:
        """Bags of this prefix but snapshots: nothing else is ever counted or removed."""
        found = self.settings.folder.glob(f"{self.settings.prefix}_*_*_[0-9]*")
        return [bag for bag in found if bag.is_dir() and (bag / f"{bag.name}.mcap").is_file()]

    def _end_bag(self) -> None:
        assert self._writer is not None
        self._writer.flush()
        self._writer.close()
        with self._changed:
            self._writer = None

    def _give_up(self, reason: str) -> None:
        """Stop recording; the bag is ended if that is possible."""
        writer = self._writer
        if writer is not None:
            try:
                writer.flush()
                writer.close()
            except OSError:
                writer.abandon()
        with self._changed:
            self._lost += len(self._queue)
            self._queue.clear()
            self._waiting = 0
            self._writer, self._recording, self._trouble = None, False, reason

    def _new_path(self, suffix: str) -> Path:
        """A name that is not there yet, also when the clock has jumped back."""
        stem = f"{self.settings.prefix}_{datetime.now():%Y%m%d_%H%M%S}_{suffix}"
        path, again = self.settings.folder / stem, 1
        while path.exists():
            again += 1
            path = self.settings.folder / f"{stem}_{again}"
        return path

    def _free(self) -> int:
        return shutil.disk_usage(self.settings.folder).free


def _size(bag: Path) -> int:
    return sum(file.stat().st_size for file in bag.iterdir() if file.is_file())
