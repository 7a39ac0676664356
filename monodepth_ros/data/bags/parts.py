"""The files that a bag consists of, each read as far as it is whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from mcap.reader import SeekingReader
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from monodepth_ros.data.bags.cut_off import (
    Remains,
    database_remains,
    ends_within_a_page,
    rosbag1_remains,
)

_ZSTD = b"\x28\xb5\x2f\xfd"  # serialised messages never begin so


class Unreadable(Exception):
    """Nothing of a file can be read."""


class RawMessage(NamedTuple):
    """A message and when it was recorded, in nanoseconds; decoding may raise anything."""

    topic: str
    stamp: int
    decode: Callable[[], Any]


class BagPart:
    """One file; ``topics`` are types by name."""

    name: Path
    topics: dict[str, str]

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[RawMessage]:
        """Those of some topics; what ends them early is added to ``problems``."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file, if it stays open between two readings."""


def open_part(name: Path, file: Path) -> BagPart:
    """Open ``file``, called ``name`` in problems; Unreadable where nothing of it is whole."""
    if file.suffix == ".mcap":
        return McapPart(name, file)
    is_rosbag1 = ".bag" in file.suffixes[-2:]
    try:
        if not is_rosbag1 and ends_within_a_page(file):
            raise Unreadable("ends within a page")  # SQLite would take zeros for the rest of it
        return IndexedPart(name, file)
    except Unreadable as error:
        return CutOffPart(name, (rosbag1_remains if is_rosbag1 else database_remains)(file), error)


class McapPart(BagPart):
    """An MCAP file, read from its beginning: that needs no index, which a cut-off file lacks."""

    def __init__(self, name: Path, file: Path) -> None:
        self.name, self._file = name, file
        self._types = get_typestore(Stores.LATEST)
        self.topics: dict[str, str] = {}
        problems: list[str] = []
        known = self._index() or [(c, s) for m, c, s in self._records(problems) if m is None]
        for channel, schema in known:
            if schema is not None:
                self.topics[channel.topic] = modern_type(schema.name)
        if not self.topics and problems:
            raise Unreadable(problems[0].removeprefix(f"{name}: "))

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[RawMessage]:
        """Up to where the file is whole."""
        for message, channel, schema in self._records(problems):
            if message is not None and schema is not None and channel.topic in wanted:
                decode = partial(self._decoded, message.data, channel, schema)
                yield RawMessage(channel.topic, message.log_time, decode)

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

    def _decoded(self, data: bytes, channel: Channel, schema: Schema) -> Any:
        kind = modern_type(schema.name)
        if kind not in self._types.fielddefs:
            if schema.encoding not in ("ros2msg", "ros1msg"):
                raise ValueError(f"the type {kind} is defined as {schema.encoding}, not as ros2msg")
            self._types.register(get_types_from_msg(schema.data.decode(), kind))
        if channel.message_encoding != "cdr":
            raise ValueError(f"encoding {channel.message_encoding}, not cdr")
        return self._types.deserialize_cdr(plain(data), kind)

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
                    f"{self.name}: whole only up to its last complete chunk: {what} {at}"
                )


class IndexedPart(BagPart):
    """A ROS 1 bag or a sqlite3 file, by the rosbags library, in the order of time."""

    def __init__(self, name: Path, file: Path) -> None:
        self.name = name
        try:
            self._reader = AnyReader([file], default_typestore=get_typestore(Stores.LATEST))
            self._reader.open()
        except AnyReaderError as error:
            raise Unreadable(str(error)) from None
        except Exception as error:  # whatever damaged bytes lead to
            raise Unreadable(f"{type(error).__name__} {error}".strip()) from None
        self.topics = {c.topic: modern_type(c.msgtype) for c in self._reader.connections}

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[RawMessage]:
        """Up to what cannot be read."""
        connections = [c for c in self._reader.connections if c.topic in wanted]
        if not connections:
            return
        try:
            for connection, stamp, data in self._reader.messages(connections):
                decode = partial(self._decoded, data, connection.msgtype)
                yield RawMessage(connection.topic, stamp, decode)
        except Exception as error:  # whatever damaged bytes lead to
            problems.append(f"{self.name}: whole only up to {type(error).__name__} {error}")

    def _decoded(self, data: bytes, kind: str) -> Any:
        return self._reader.deserialize(plain(data), kind)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()


class CutOffPart(BagPart):
    """A ROS 1 bag or a sqlite3 file that lacks its end, read from its beginning."""

    def __init__(self, name: Path, remains: Remains, reason: Unreadable) -> None:
        self.name, self._remains, self._reason = name, remains, reason
        self.topics = {topic: modern_type(kind) for topic, kind in remains.topics.items()}
        if not self.topics:
            raise reason

    def messages(self, wanted: Collection[str], problems: list[str]) -> Iterator[RawMessage]:
        """Up to where the file is whole; why it is not is always told."""
        problems.append(f"{self.name}: whole only up to its last complete message: {self._reason}")
        for topic, stamp, data in self._remains.messages():
            if topic in wanted:
                yield RawMessage(topic, stamp, partial(self._decoded, topic, data))

    def _decoded(self, topic: str, data: bytes) -> Any:
        return self._remains.decode(topic, plain(data))


def modern_type(name: str) -> str:
    """A type by its name in ROS 2: ``sensor_msgs/Image`` of old is ``sensor_msgs/msg/Image``."""
    package, _, kind = name.partition("/")
    return name if "/" in kind else f"{package}/msg/{kind}"


def plain(data: bytes) -> bytes:
    """Serialised as it was before rosbag2 compressed it message by message, if it did."""
    if bytes(data[:4]) != _ZSTD:
        return data
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)
