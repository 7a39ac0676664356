"""Bags of ROS 1 and ROS 2 read without ROS, as far as they can be read.

A robot's bags end where its power did, come in several files of which some are gone, and carry
types by old names. What is whole is read; what is not is told in `BagFile.problems`.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import zstandard

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.data.bags.parts import BagPart, Unreadable, open_part
from monodepth_ros.data.fingerprint import fingerprint_of_files
from monodepth_ros.data.natural_order import natural_order
from monodepth_ros.errors import UserError
from monodepth_ros.yaml_file import read_mapping

BAG_SUFFIXES = (".bag", ".mcap", ".db3")
_LOGS = ("-wal", "-journal")  # behind the name of a database
_UNFINISHED = ".active"  # behind the name of a ROS 1 bag that its recorder did not close


class BagMessage(NamedTuple):
    """A message and when it was recorded, in nanoseconds; ``content`` has the message's fields."""

    topic: str
    stamp: int
    content: Any

    @property
    def header_stamp(self) -> int:
        """The time in its header, in nanoseconds: to be judged, see `stamps`."""
        return nanoseconds(self.content.header.stamp)


class BagFile:
    """One recording: a bag file, or the folder of a rosbag2 that may consist of several.

    ``topics`` are their types by name (``sensor_msgs/msg/Image``). ``problems`` grow while messages
    are read. A UserError when nothing of it is a bag.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.problems: list[str] = []
        self._parts: list[BagPart] = []
        self._data = self._files()
        with ExitStack() as opened:
            for file in self._data:
                try:
                    part = open_part(file, _at_hand(file, opened))
                except Unreadable as error:
                    self.problems.append(f"{file}: {error}")
                    continue
                opened.callback(part.close)
                self._parts.append(part)
            if not self._parts:
                told = "; ".join(self.problems)
                raise UserError(f"{self.path}: not a bag that can be read: {told}")
            self._opened = opened.pop_all()
        self.topics = {name: kind for part in self._parts for name, kind in part.topics.items()}

    def __enter__(self) -> BagFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._opened.close()

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a file of the bag grows or is written anew."""
        logs = [log for file in self._data for log in _logs_of(file)]
        return fingerprint_of_files([*self._data, *logs], times=True)

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """The messages of some topics, or of all, as they lie in the bag: nearly in their order."""
        wanted = set(self.topics) if topics is None else set(topics)
        for part in self._parts:
            failed: set[str] = set()
            for message in part.messages(wanted, self.problems):
                try:
                    content = message.decode()
                except Exception as error:  # whatever a decoder raises on damaged bytes
                    if message.topic not in failed:
                        self.problems.append(f"{part.name}: a message of {message.topic}: {error}")
                    failed.add(message.topic)
                    continue
                yield BagMessage(message.topic, message.stamp, content)

    def sample(self, topics: Collection[str]) -> tuple[Counter[str], dict[str, Any]]:
        """How many messages each of some topics has, and the first that can be decoded."""
        counts: Counter[str] = Counter()
        first: dict[str, Any] = {}
        for part in self._parts:
            for message in part.messages(set(topics), self.problems):
                counts[message.topic] += 1
                if message.topic not in first:
                    with suppress(Exception):  # whatever a decoder raises on damaged bytes
                        first[message.topic] = message.decode()
        return counts, first

    def _files(self) -> list[Path]:
        if not self.path.exists():
            raise UserError(f"{self.path}: no such bag")
        if self.path.is_file():
            return [self.path]
        found = sorted(
            (f for f in self.path.iterdir() if _is_bag_file(f)), key=lambda f: natural_order(f.name)
        )
        if not found:
            raise UserError(f"{self.path}: holds no bag file ({', '.join(BAG_SUFFIXES)})")
        missing = sorted(_listed(self.path) - {file.name for file in found})
        self.problems += [f"{self.path / name}: of the bag, but missing" for name in missing]
        return found


def is_bag(path: Path) -> bool:
    """Whether this is a bag file, or a folder that holds some."""
    if path.is_dir():
        return any(_is_bag_file(file) for file in path.iterdir())
    return path.is_file() and _is_bag_file(path)


def _is_bag_file(file: Path) -> bool:
    outer = (".zst", ".zstd", _UNFINISHED)
    return (Path(file.stem).suffix if file.suffix in outer else file.suffix) in BAG_SUFFIXES


def _listed(folder: Path) -> set[str]:
    """The files that rosbag2's metadata.yaml names; none where it is missing or cut off."""
    try:
        content = read_mapping(folder / "metadata.yaml", "a bag's description")
        names = content["rosbag2_bagfile_information"]["relative_file_paths"]
        return {Path(name).name for name in names}
    except (UserError, KeyError, TypeError):
        return set()


def _logs_of(database: Path) -> list[Path]:
    """What a killed recorder left beside a database, not merged into it yet."""
    logs = [log for end in _LOGS if (log := Path(f"{database}{end}")).is_file()]
    return [log for log in logs if database.suffix == ".db3" and log.stat().st_size]


def _at_hand(file: Path, opened: ExitStack) -> Path:
    """The file itself, or a copy in a folder of its own.

    Of what rosbag2 compressed as a whole, and of a database beside which a killed recorder left
    what it had not merged yet.
    """
    logs = _logs_of(file)
    compressed = file.suffix in (".zst", ".zstd")
    if not compressed and not logs:
        return file
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="monodepth_bag_")))
    if compressed:
        return _decompressed(file, folder / file.stem)
    try:
        for part in (file, *logs):
            shutil.copyfile(part, folder / part.name)
    except OSError as error:  # as on a full disk
        raise Unreadable(f"what was not merged yet cannot be: {error}") from None
    with suppress(sqlite3.Error), closing(sqlite3.connect(folder / file.name)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("SELECT count(*) FROM sqlite_master").fetchall()  # rolls a journal back
    return folder / file.name


def _decompressed(file: Path, plain: Path) -> Path:
    try:
        with open(file, "rb") as source, open(plain, "wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    except (OSError, zstandard.ZstdError) as error:
        if not plain.stat().st_size:
            raise Unreadable(f"cannot be decompressed: {error}") from None
    return plain
