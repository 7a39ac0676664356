"""Bags of ROS 1 and ROS 2 read without ROS, as far as they can be read.

A robot's bags end where its power did, come in several files of which some are gone, and carry
types by old names. What is whole is read; what is not is told in `BagFile.problems`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

import yaml
import zstandard
from mcap.reader import SeekingReader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from monodepth_ros.data.image_message import nanoseconds
from monodepth_ros.errors import UserError

BAG_SUFFIXES = (".bag", ".mcap", ".db3")
_ZSTD = b"\x28\xb5\x2f\xfd"  # serialised messages never begin so


class BagMessage(NamedTuple):
    """A message and when it was recorded, in nanoseconds; ``content`` has the message's fields."""

    topic: str
    stamp: int
    content: Any

    @property
    def taken(self) -> int:
        """The time in its header, in nanoseconds; of a driver that does not stamp: `stamp`."""
        return nanoseconds(self.content.header.stamp) or self.stamp


class BagFile:
    """One recording: a bag file, or the folder of a rosbag2 that may consist of several.

    ``topics`` are their types by name (``sensor_msgs/msg/Image``). ``problems`` grow while messages
    are read. A UserError when nothing of it is a bag.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.problems: list[str] = []
        self._opened = ExitStack()
        self._parts: list[_Part] = []
        try:
            for file in self._files():
                self._open_part(file)
        except BaseException:
            self._opened.close()
            raise
        if not self._parts:
            self._opened.close()
            raise UserError(f"{self.path}: not a bag that can be read: {'; '.join(self.problems)}")
        self.topics = {name: kind for part in self._parts for name, kind in part.topics.items()}

    def __enter__(self) -> BagFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """The messages of some topics, or of all, as they lie in the bag: nearly in their order."""
        wanted = set(self.topics) if topics is None else set(topics)
        for part in self._parts:
            yield from part.messages(wanted, self.problems)

    def _files(self) -> list[Path]:
        if not self.path.exists():
            raise UserError(f"{self.path}: no such bag")
        if self.path.is_file():
            return [self.path]
        found = sorted((f for f in self.path.iterdir() if _is_bag_file(f)), key=_by_number)
        if not found:
            raise UserError(f"{self.path}: holds no bag file ({', '.join(BAG_SUFFIXES)})")
        missing = sorted(_listed(self.path) - {file.name for file in found})
        self.problems += [f"{self.path / name}: of the bag, but missing" for name in missing]
        return found

    def _open_part(self, file: Path) -> None:
        try:
            plain = _decompressed(file, self._opened)
            is_mcap = plain.suffix == ".mcap"
            part: _Part = _McapPart(file, plain) if is_mcap else _IndexedPart(file, plain)
        except _Unreadable as error:
            self.problems.append(f"{file}: {error}")
            return
        self._opened.callback(part.close)
        self._parts.append(part)


def is_bag(path: Path) -> bool:
    """Whether this is a bag file, or a folder that holds some."""
    if path.is_dir():
        return any(_is_bag_file(file) for file in path.iterdir())
    return path.is_file() and _is_bag_file(path)


class _Unreadable(Exception):
    """Nothing of a file can be read."""


class _Part(Protocol):
    topics: dict[str, str]

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[BagMessage]: ...

    def close(self) -> None: ...


class _McapPart:
    """An MCAP file, read from its beginning: that needs no index, which a cut-off file lacks."""

    def __init__(self, name: Path, file: Path) -> None:
        self._name, self._file = name, file
        self._types = get_typestore(Stores.LATEST)
        self.topics: dict[str, str] = {}
        problems: list[str] = []
        for channel, schema in self._index() or self._channels(problems):
            if schema is not None:
                self.topics[channel.topic] = modern_type(schema.name)
        if not self.topics and problems:
            raise _Unreadable(problems[0].removeprefix(f"{name}: "))

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[BagMessage]:
        """Up to where the file is whole."""
        failed: set[str] = set()
        for message, channel, schema in self._records(problems):
            if message is None or schema is None or channel.topic not in wanted:
                continue
            try:
                content = self._decoded(message.data, channel, schema)
            except Exception as error:  # whatever a decoder raises on damaged bytes
                if channel.topic not in failed:
                    problems.append(f"{self._name}: a message of {channel.topic}: {error}")
                failed.add(channel.topic)
                continue
            yield BagMessage(channel.topic, message.log_time, content)

    def close(self) -> None:
        """Nothing stays open between two readings."""

    def _index(self) -> list[tuple[Channel, Schema | None]]:
        """The channels by the summary at the end of the file; none where that is missing."""
        try:
            with open(self._file, "rb") as stream:
                summary = SeekingReader(stream).get_summary()
        except Exception:  # whatever damaged bytes lead to: the file is read from its beginning
            return []
        if summary is None:
            return []
        return [(c, summary.schemas.get(c.schema_id)) for c in summary.channels.values()]

    def _channels(self, problems: list[str]) -> list[tuple[Channel, Schema | None]]:
        """The channels by reading all of the file."""
        records = self._records(problems)
        return [(channel, schema) for message, channel, schema in records if message is None]

    def _decoded(self, data: bytes, channel: Channel, schema: Schema) -> Any:
        kind = modern_type(schema.name)
        if kind not in self._types.fielddefs:
            if schema.encoding not in ("ros2msg", "ros1msg"):
                raise ValueError(f"the type {kind} is defined as {schema.encoding}, not as ros2msg")
            self._types.register(get_types_from_msg(schema.data.decode(), kind))
        if channel.message_encoding != "cdr":
            raise ValueError(f"encoding {channel.message_encoding}, not cdr")
        return self._types.deserialize_cdr(_plain(data), kind)

    def _records(
        self, problems: list[str]
    ) -> Iterator[tuple[Message | None, Channel, Schema | None]]:
        """Every channel once, as soon as it is known, and every message with its channel."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        with open(self._file, "rb") as stream:
            size = self._file.stat().st_size
            reader = StreamReader(stream, validate_crcs=True, record_size_limit=size)
            try:
                for record in reader.records:
                    if isinstance(record, Schema):
                        schemas[record.id] = record
                    elif isinstance(record, Channel):
                        if record.id not in channels:
                            yield None, record, schemas.get(record.schema_id)
                        channels[record.id] = record
                    elif isinstance(record, Message):
                        channel = channels[record.channel_id]
                        yield record, channel, schemas.get(channel.schema_id)
            except Exception as error:  # whatever a damaged record leads to
                at = f"at byte {stream.tell()} of {size}"
                what = f"{type(error).__name__} {error}".strip()
                problems.append(
                    f"{self._name}: whole only up to its last complete chunk: {what} {at}"
                )


class _IndexedPart:
    """A ROS 1 bag or a sqlite3 file, by the rosbags library."""

    def __init__(self, name: Path, file: Path) -> None:
        self._name = name
        try:
            self._reader = AnyReader([file], default_typestore=get_typestore(Stores.LATEST))
            self._reader.open()
        except AnyReaderError as error:
            raise _Unreadable(str(error)) from None
        except Exception as error:  # whatever damaged bytes lead to
            raise _Unreadable(f"{type(error).__name__} {error}".strip()) from None
        self.topics = {c.topic: modern_type(c.msgtype) for c in self._reader.connections}

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[BagMessage]:
        """In the order of their time, up to what cannot be read."""
        connections = [c for c in self._reader.connections if c.topic in wanted]
        failed: set[str] = set()
        if not connections:
            return
        messages = self._reader.messages(connections)
        while True:
            try:
                connection, stamp, data = next(messages)
            except StopIteration:
                return
            except Exception as error:  # whatever damaged bytes lead to
                problems.append(f"{self._name}: whole only up to {type(error).__name__} {error}")
                return
            try:
                content = self._reader.deserialize(_plain(data), connection.msgtype)
            except Exception as error:
                if connection.topic not in failed:
                    problems.append(f"{self._name}: a message of {connection.topic}: {error}")
                failed.add(connection.topic)
                continue
            yield BagMessage(connection.topic, stamp, content)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


def modern_type(name: str) -> str:
    """A type by its name in ROS 2: ``sensor_msgs/Image`` of old is ``sensor_msgs/msg/Image``."""
    package, _, kind = name.partition("/")
    return name if "/" in kind else f"{package}/msg/{kind}"


def _plain(data: bytes) -> bytes:
    """Serialised as it was before rosbag2 compressed it message by message, if it did."""
    if bytes(data[:4]) != _ZSTD:
        return data
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _is_bag_file(file: Path) -> bool:
    compressed = file.suffix in (".zst", ".zstd")
    return (Path(file.stem).suffix if compressed else file.suffix) in BAG_SUFFIXES


def _by_number(file: Path) -> list[str | int]:
    """Splits are numbered without leading zeros."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)]


def _listed(folder: Path) -> set[str]:
    """The files that rosbag2's metadata.yaml names; none where it is missing or cut off."""
    try:
        content = yaml.safe_load((folder / "metadata.yaml").read_text())
        names = content["rosbag2_bagfile_information"]["relative_file_paths"]
        return {Path(name).name for name in names}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return set()


def _decompressed(file: Path, opened: ExitStack) -> Path:
    """The file itself, or what rosbag2 compressed as a whole, in a folder of its own."""
    if file.suffix not in (".zst", ".zstd"):
        return file
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="monodepth_bag_")))
    plain = folder / file.stem
    try:
        with open(file, "rb") as source, open(plain, "wb") as target:
            zstandard.ZstdDecompressor().copy_stream(source, target)
    except (OSError, zstandard.ZstdError) as error:
        if not plain.stat().st_size:
            raise _Unreadable(f"cannot be decompressed: {error}") from None
    return plain
