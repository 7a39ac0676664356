"""Recording of messages to bags in a thread of its own, which no full disk and no kill can spoil.

Every split is a bag of its own, ``PREFIX_DATE_TIME_N``. Chunks are brought to the disk every few
seconds: a recorder that is killed leaves a bag that reads up to the last of them.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from rosbags.interfaces import Qos

from monodepth_ros.data.bags.recording.marked_bags import (
    Mark,
    MarkedBagWriter,
    free_bytes,
    keep_to_budget,
)
from monodepth_ros.data.bags.recording.metrics import Failures, RecorderMetrics
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.errors import UserError, reason_of

_MEGABYTE = 1_000_000
_POLL_PERIOD = 0.2  # seconds between two looks at the clock, when nothing comes
_DISK_TIMEOUT = 30.0  # seconds in which a disk takes what waits for it


class Recorded(NamedTuple):
    """A serialised message, when it came in nanoseconds, and what its publishers offer."""

    topic: str
    kind: str
    stamp: int
    data: bytes
    qos: Sequence[Qos] = ()


@dataclass(frozen=True)
class RecorderSettings:
    """Lengths in seconds, sizes in megabytes of 10^6 bytes; 0 switches a limit off.

    Bags with a mark of this ``recorder`` and this ``prefix`` are the recorder's own.
    """

    folder: Path
    prefix: str = "monodepth"
    recorder: str = "recorder"
    chunk_seconds: float = 2.0
    max_bag_seconds: float = 0.0
    max_bag_size_mb: float = 4000.0
    disk_budget_mb: float = 0.0  # of the recorder's own bags in the folder
    remove_oldest: bool = False  # rather than to stop, when the budget is used up
    min_free_disk_mb: float = 500.0  # that stay free on the disk
    snapshot_seconds: float = 0.0
    snapshot_memory_mb: float = 500.0
    queue_memory_mb: float = 200.0  # waiting for a slow disk; what comes on top is lost


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
            stored: what is written of a message; where it raises, the message as it came.
        """
        self.settings = settings
        self._definition, self._selected, self._stored = definition, selected, stored
        self._changed = threading.Condition()
        self._queue: deque[Recorded] = deque()
        self._ring: deque[Recorded] = deque()
        self._waiting = self._kept = 0  # bytes in the queue and in the ring
        self._recording = self._closing = False
        self._writer: BagWriter | None = None
        self._bags: list[Path] = []  # since the start, with the one under way
        self._opened = self._flushed = 0.0
        self._counts = Counter(written=0, skipped=0, lost=0, failed=0)  # of messages
        self._unflushed = 0  # of those written, messages that are not on the disk yet
        self._bytes = 0
        self._stop_reason = ""
        self._failures: dict[str, Failures] = {}
        self._stored_unchanged: dict[str, Failures] = {}
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def start(self, check_space: bool = False) -> bool:
        """Record from now on; False when it did already.

        UserError where the folder is not writable and, with ``check_space``, where it is full: else
        the first message tells.
        """
        try:
            self.settings.folder.mkdir(parents=True, exist_ok=True)
            probe = self.settings.folder / f".{self.settings.prefix}_probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"cannot record to {self.settings.folder}: {error.strerror}") from None
        if check_space and not self._recording:
            self._check_space()
        with self._changed:
            if self._recording:
                return False
            self._recording, self._stop_reason = True, ""
            self._bags = []
            return True

    def stop(self) -> list[Path]:
        """Record what has come so far, end the bag, and return all bags since the start.

        UserError when a slow disk has not taken it all within half a minute; it goes on writing.
        """
        with self._changed:
            self._recording = False
            self._changed.notify()
            ended = self._changed.wait_for(
                lambda: self._writer is None and not self._queue, timeout=_DISK_TIMEOUT
            )
            if not ended:
                raise UserError(
                    f"{self._bags[-1] if self._bags else self.settings.folder}: is still being"
                    f" written, {self._waiting / _MEGABYTE:.0f} MB wait for the disk"
                )
            bags, self._bags = self._bags, []
            return bags

    def close(self) -> None:
        """Stop, and end the thread."""
        with suppress(UserError):
            self.stop()
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=_DISK_TIMEOUT)

    def offer(self, message: Recorded) -> None:
        """Keep a message for a snapshot, and record it if that is switched on."""
        with self._changed:
            if self.settings.snapshot_seconds > 0:
                self._add_to_snapshot(message)
            if not self._recording:
                return
            if self._waiting + len(message.data) > self.settings.queue_memory_mb * _MEGABYTE:
                self._counts["lost"] += 1
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
        needed = self.settings.min_free_disk_mb * _MEGABYTE + self._kept
        if free_bytes(self.settings.folder) < needed:
            raise UserError(f"{self.settings.folder}: not enough space for a snapshot")
        writer = self._new_bag("snapshot")
        kinds = {message.topic: message.kind for message in kept}  # a bag knows one of a topic
        try:
            for message in kept:
                if message.kind == kinds[message.topic]:
                    self._write(writer, self._converted(message))
            writer.flush()
            writer.close()
        except OSError as error:
            writer.abandon()
            raise UserError(
                f"{writer.path}: {error.strerror}: the snapshot is not complete"
            ) from None
        return writer.path

    def metrics(self) -> RecorderMetrics:
        """How it stands."""
        with self._changed:
            return RecorderMetrics(
                recording=self._recording,
                bag=None if self._writer is None else self._writer.path,
                written_mb=self._bytes / _MEGABYTE,
                queued_mb=self._waiting / _MEGABYTE,
                stop_reason=self._stop_reason,
                failures=dict(self._failures),
                stored_unchanged=dict(self._stored_unchanged),
                **self._counts,
            )

    def _add_to_snapshot(self, message: Recorded) -> None:
        self._ring.append(message)
        self._kept += len(message.data)
        oldest = message.stamp - round(self.settings.snapshot_seconds * 1e9)
        limit = self.settings.snapshot_memory_mb * _MEGABYTE
        # A clock that jumps back leaves messages from the future, which are as old as the rest.
        while self._ring[0].stamp < oldest or self._kept > limit:
            self._kept -= len(self._ring.popleft().data)
            if not self._ring:
                break

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing, _POLL_PERIOD)
                if self._closing and not self._queue and self._writer is None:
                    return
                batch = list(self._queue)
                ends = not self._recording
            try:
                for message in batch:
                    self._done(message, self._process(message))
                self._flush_in_time()
                if ends and self._writer is not None:
                    self._end_bag()
            except Exception as error:  # whatever it is, it must not pass unseen
                self._give_up(str(error) if isinstance(error, OSError) else reason_of(error))
            with self._changed:
                self._changed.notify_all()

    def _done(self, message: Recorded, outcome: str) -> None:
        with self._changed:
            self._queue.popleft()
            self._waiting -= len(message.data)
            self._counts[outcome] += 1
            self._unflushed += outcome == "written"

    def _process(self, message: Recorded) -> str:
        """What became of a message: written, left out or failed."""
        if not self._is_selected(message):
            return "skipped"
        stored = self._converted(message)
        writer = self._writer
        if writer is not None and (
            self._is_full(writer) or writer.type_of(stored.topic) not in (None, stored.kind)
        ):
            self._end_bag()
        if self._writer is None:
            self._check_space()
            writer = self._new_bag(str(len(self._bags) + 1))
            self._opened = self._flushed = time.monotonic()
            with self._changed:
                self._writer = writer
                self._bags.append(writer.path)
        return "written" if self._write(self._writer, stored) else "failed"

    def _is_selected(self, message: Recorded) -> bool:
        try:
            return self._selected(message)
        except Exception:  # whatever is wrong with it: it is recorded
            return True

    def _converted(self, message: Recorded) -> Recorded:
        try:
            stored = self._stored(message)
        except Exception as error:  # whatever an image leads to
            self._count_failure(self._stored_unchanged, message.topic, reason_of(error))
            return message
        self._count_failure(self._stored_unchanged, message.topic, "")
        return stored

    def _write(self, writer: BagWriter, message: Recorded) -> bool:
        """Whether it is written: one strange message must not end the recording of others."""
        try:
            if not writer.knows(message.kind) and self._definition is not None:
                writer.define(message.kind, self._definition(message.kind))
            writer.write(message.topic, message.kind, message.stamp, message.data, message.qos)
        except OSError:
            raise
        except Exception as error:  # whatever a definition or a message leads to
            self._count_failure(self._failures, message.topic, reason_of(error))
            return False
        self._count_failure(self._failures, message.topic, "")
        self._bytes += len(message.data)
        return True

    def _count_failure(self, failures: dict[str, Failures], topic: str, reason: str) -> None:
        """Count one more failure of a topic, or with an empty reason a success."""
        before = failures.get(topic)
        if before is None and not reason:
            return
        messages, last = (0, "") if before is None else before[:2]
        with self._changed:
            failures[topic] = Failures(messages + bool(reason), reason or last, bool(reason))

    def _is_full(self, writer: BagWriter) -> bool:
        """Whether the bag has reached the length or the size at which the next one begins."""
        settings = self.settings
        age = time.monotonic() - self._opened
        return (0 < settings.max_bag_seconds <= age) or (
            0 < settings.max_bag_size_mb * _MEGABYTE <= writer.size
        )

    def _flush_in_time(self) -> None:
        """Bring what is written to the disk, in time, while there is space for more."""
        now = time.monotonic()
        if self._writer is not None and now >= self._flushed + self.settings.chunk_seconds:
            self._writer.flush()
            self._flushed, self._unflushed = now, 0
            self._check_space()

    def _check_space(self) -> None:
        """UserError when no more may be written."""
        settings = self.settings
        if free_bytes(settings.folder) < settings.min_free_disk_mb * _MEGABYTE:
            raise UserError(
                f"{settings.folder}: less than {settings.min_free_disk_mb:g} MB are free on the"
                " disk"
            )
        if settings.disk_budget_mb > 0:
            keep_to_budget(
                settings.folder,
                self._is_own,
                settings.disk_budget_mb * _MEGABYTE,
                settings.remove_oldest,
                None if self._writer is None else self._writer.path,
            )

    def _is_own(self, mark: Mark) -> bool:
        """Whether a bag counts, and may be removed: no snapshot, and nobody else's."""
        mine = (self.settings.recorder, self.settings.prefix)
        return (mark.recorder, mark.prefix) == mine and not mark.snapshot

    def _end_bag(self) -> None:
        assert self._writer is not None
        self._writer.flush()
        self._writer.close()
        with self._changed:
            self._writer, self._unflushed = None, 0

    def _give_up(self, reason: str) -> None:
        """Stop recording; the bag is ended if that is possible."""
        writer = self._writer
        if writer is not None:
            try:
                writer.flush()
                self._unflushed = 0
                writer.close()
            except OSError:
                writer.abandon()
        with self._changed:
            self._counts["lost"] += len(self._queue) + self._unflushed
            self._counts["written"] -= self._unflushed
            self._queue.clear()
            self._waiting = self._unflushed = 0
            self._writer, self._recording, self._stop_reason = None, False, reason

    def _new_bag(self, suffix: str) -> MarkedBagWriter:
        """Under a name that is not there yet, also when the clock has jumped back."""
        settings = self.settings
        stem = f"{settings.prefix}_{datetime.now():%Y%m%d_%H%M%S}_{suffix}"
        for again in count(1):
            path = settings.folder / (stem if again == 1 else f"{stem}_{again}")
            with suppress(UserError):  # it is there: of this second, or of another recorder
                snapshot = suffix == "snapshot"
                return MarkedBagWriter(path, settings.recorder, settings.prefix, snapshot)
        raise AssertionError
