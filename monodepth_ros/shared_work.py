"""Work in parts that several processes share, and that the next run goes on with.

Processes are those that torchrun starts, on one machine or several, or whoever sets RANK and
WORLD_SIZE. They meet in a folder alone: each part's result is a file there, whole or absent, called
by what the part is made of. So it does not matter who made it, or when.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.process_share import take_gpu

P = TypeVar("P")

PART = 16  # frames: what a killed process loses at most, and what goes to a GPU at a time
_FORMAT = 1  # raised when the same parts give other results
_POLL = 0.2  # seconds


@dataclass(frozen=True)
class Rank:
    """This process among ``count``, numbered from 0. The first joins the results."""

    number: int = 0
    count: int = 1

    @classmethod
    def of_environment(cls) -> Rank:
        """By RANK and WORLD_SIZE; the only process without them. UserError where they are wrong."""
        given = {name: os.environ.get(name) or default for name, default in _DEFAULTS.items()}
        try:
            rank = cls(int(given["RANK"]), int(given["WORLD_SIZE"]))
        except ValueError:
            rank = cls(-1)
        if not 0 <= rank.number < rank.count:
            told = ", ".join(f"{name}={value}" for name, value in given.items())
            raise UserError(f"{told}: RANK must be from 0 to WORLD_SIZE - 1")
        return rank


_DEFAULTS = {"RANK": "0", "WORLD_SIZE": "1"}


def key_of(*content: object) -> str:
    """A short text that is another one when ``content``, as JSON holds it, is another."""
    text = json.dumps([_FORMAT, *content], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:24]


def file_state(path: Path) -> tuple[str, int, int]:
    """Path, bytes and time of the last change of a file; -1 for one that cannot be read."""
    try:
        state = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), state.st_size, state.st_mtime_ns


class SharedWork:
    """The results of parts, in ``folder``; without one they stay in memory.

    ``what`` are the items that parts are counted in, for people. ``patience`` is how many seconds
    the first process waits for another one to begin. Make it before the model is loaded: each
    process takes a GPU of its own.
    """

    def __init__(self, folder: Path | None, what: str, patience: float = 60.0) -> None:
        self.rank = Rank.of_environment()
        take_gpu()
        if folder is None and self.rank.count > 1:
            raise UserError("--out is missing: the folder in which several processes meet")
        self._folder, self._what, self._patience = folder, what, patience
        self._began = time.monotonic()
        self._met: set[int] = set()  # ranks that were seen at work
        self._found: dict[str, Any] = {}  # results by the parts' keys

    def results(
        self,
        parts: Mapping[str, P],
        do: Callable[[list[P]], Iterator[Any]],
        count: Callable[[P], int],
        good: Callable[[Any], bool] = lambda result: True,
    ) -> list[Any] | None:
        """The result of each part, in order; None in a process that does not join them.

        ``parts`` are all of the work, by their keys, ``count`` how many items one has. ``do`` gives
        the results, as JSON holds them, of the parts that it is given. A result that is there from
        an earlier run and is ``good`` is kept. The first process does what is left of one that
        died.
        """
        with self._at_work():
            own = dict(list(parts.items())[self.rank.number :: self.rank.count])
            kept = {key for key in own if self._has(key) and good(self._found[key])}
            todo = {key: part for key, part in own.items() if key not in kept}
            if kept:
                there = sum(count(own[key]) for key in kept)
                left = sum(map(count, todo.values()))
                self._say(f"{there} {self._what} kept from an earlier run, {left} to be done")
            self._do(todo, do)
        if self.rank.number:
            return None
        while left_over := {key: part for key, part in parts.items() if not self._has(key)}:
            of_dead = self._of_dead(parts, left_over)
            if of_dead:
                there = sum(map(count, of_dead.values()))
                self._say(f"another process has ended: its {there} {self._what} are done here")
            self._do(of_dead, do)
            time.sleep(0 if of_dead else _POLL)
        return [self._found[key] for key in parts]

    @property
    def in_memory(self) -> bool:
        """Whether nothing is left for other processes and runs."""
        return self._folder is None

    @property
    def silent(self) -> bool:
        """Whether another process tells how far the work is."""
        return self.rank.number > 0

    def forget(self) -> None:
        """Remove the results, where nothing will ask for them again."""
        if self._folder is not None and self.rank.number == 0:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _do(self, parts: dict[str, P], do: Callable[[list[P]], Iterator[Any]]) -> None:
        if not parts:
            return
        for key, result in zip(parts, do(list(parts.values())), strict=True):
            self._found[key] = result
            if self._folder is not None:
                with atomic_path(self._folder / f"{key}.json") as path:
                    path.write_text(json.dumps(result))

    def _has(self, key: str) -> bool:
        """Whether a result is known, or can be read."""
        if key not in self._found and self._folder is not None:
            with suppress(OSError, ValueError):
                self._found[key] = json.loads((self._folder / f"{key}.json").read_text())
        return key in self._found

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Hold the lock that says so; the system releases it when the process dies."""
        if self._folder is None:
            yield
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock_file(self.rank.number).open("w") as file:
            if not _locked(file):
                raise UserError(f"{self._folder.parent}: another run of this is at work there")
            yield

    def _of_dead(self, parts: Mapping[str, P], left_over: dict[str, P]) -> dict[str, P]:
        """Parts of processes that were at work and are not any more, or that never began."""
        ended = {rank for rank in range(1, self.rank.count) if self._ended(rank)}
        return {
            key: left_over[key]
            for number, key in enumerate(parts)
            if key in left_over and number % self.rank.count in ended
        }

    def _ended(self, rank: int) -> bool:
        late = time.monotonic() - self._began > self._patience
        try:
            with self._lock_file(rank).open("r+") as file:
                if not _locked(file):
                    self._met.add(rank)
                    return False
        except OSError:
            pass  # it has not begun
        return late or rank in self._met

    def _lock_file(self, rank: int) -> Path:
        assert self._folder is not None
        return self._folder / f"process_{rank}.lock"

    def _say(self, line: str) -> None:
        of = f" (process {self.rank.number} of {self.rank.count})" if self.rank.count > 1 else ""
        print(f"{line}{of}", file=sys.stderr, flush=True)


def _locked(file: IO[str]) -> bool:
    """Whether the lock was free and is held now; where there are no locks nobody holds one."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
