"""ROS 1 bags and rosbag2's sqlite3 files without their end, as a power cut leaves them.

Their libraries want the index of a ROS 1 bag, which is written last, and every page of a database.
Here both are read from the beginning, message by message.
Formats: wiki.ros.org/Bags/Format/2.0 and sqlite.org/fileformat.html.
"""

from __future__ import annotations

import io
import mmap
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.rosbag1.reader import (
    Header,
    RecordType,
    decompressors,
    normalize,
    read_bytes,
    read_uint32,
)
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.msg import normalize_msgtype
from rosbags.typesys.store import Typestore


class Remains(NamedTuple):
    """What is whole of a file: types by topic, none where it is no bag, and the messages.

    A message is its topic, its time in nanoseconds, and ``bytes`` that ``decode`` makes one of.
    """

    topics: dict[str, str]
    messages: Callable[[], Iterator[tuple[str, int, bytes]]]
    decode: Callable[[str, bytes], Any]


class _Connection(NamedTuple):
    topic: str
    kind: str
    definition: str


def rosbag1_remains(file: Path) -> Remains:
    """A ROS 1 bag read record by record."""
    types = get_typestore(Stores.EMPTY)
    connections: dict[str, _Connection] = {}
    for connection, _, _ in _records(file):
        connections.setdefault(connection.topic, connection)

    def decode(topic: str, data: bytes) -> Any:
        _, kind, definition = connections[topic]
        _know(types, kind, definition)
        return types.deserialize_ros1(data, kind)

    def messages() -> Iterator[tuple[str, int, bytes]]:
        return ((connection.topic, stamp, data) for connection, stamp, data in _records(file))

    return Remains({c.topic: c.kind for c in connections.values()}, messages, decode)


def _records(file: Path) -> Iterator[tuple[_Connection, int, bytes]]:
    """Every message up to the first record that is not whole."""
    with open(file, "rb") as stream:
        if stream.readline(32) == b"#ROSBAG V2.0\n":
            with suppress(Exception):  # whatever damaged bytes lead to: here the bag ends
                yield from _messages(stream, {})


def _messages(
    stream: io.BufferedReader, connections: dict[int, _Connection]
) -> Iterator[tuple[_Connection, int, bytes]]:
    """Of a stream of records; an uncompressed chunk's records are read as if it were not there."""
    while stream.peek(1):
        header = Header.read(stream)
        kind = header.get_uint8("op")
        if kind == RecordType.CHUNK and header.get_string("compression") == "none":
            read_uint32(stream)
            continue
        data = read_bytes(stream, read_uint32(stream))
        if kind == RecordType.CHUNK:
            content = decompressors[header.get_string("compression")](data)
            yield from _messages(io.BufferedReader(io.BytesIO(content)), connections)
        elif kind == RecordType.CONNECTION:
            fields = Header.read(io.BytesIO(struct.pack("<L", len(data)) + data))
            connections[header.get_uint32("conn")] = _Connection(
                normalize(header.get_string("topic")),
                normalize_msgtype(fields.get_string("type")),
                fields.get_string("message_definition"),
            )
        elif kind == RecordType.MSGDATA:
            connection = connections[header.get_uint32("conn")]
            yield connection, header.get_time("time"), data


def ends_within_a_page(database: Path) -> bool:
    """Whether a page of a sqlite3 file is there in part."""
    with open(database, "rb") as stream:
        size = _page_size(stream.read(100))
    return size > 0 and database.stat().st_size % size != 0


def database_remains(file: Path) -> Remains:
    """A rosbag2 sqlite3 file read page by page; no topics where its first pages are not whole."""
    types = get_typestore(Stores.LATEST)
    rows, definitions = [], {}
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db,
    ):
        # SQLite opens a file with missing pages only for those who mend it.
        db.execute("PRAGMA writable_schema=ON")
        definitions = _definitions(db)
        rows = db.execute("SELECT id, name, type FROM topics").fetchall()
    names = {number: name for number, name, _ in rows}
    kinds = {name: kind for _, name, kind in rows}

    def messages() -> Iterator[tuple[str, int, bytes]]:
        seen: set[int] = set()
        for row, values in _leaf_rows(file):
            match values:
                case [None, int(topic), int(stamp), bytes(data)] if row not in seen:
                    seen.add(row)
                    if topic in names:
                        yield names[topic], stamp, data

    def decode(topic: str, data: bytes) -> Any:
        _know(types, kinds[topic], definitions.get(kinds[topic]))
        return types.deserialize_cdr(data, kinds[topic])

    return Remains(kinds, messages, decode)


def _definitions(database: sqlite3.Connection) -> dict[str, str]:
    """Of the types that the bag defines, which bags before Iron do not."""
    rows = "SELECT topic_type, encoded_message_definition FROM message_definitions"
    try:
        return dict(database.execute(f"{rows} WHERE encoding = 'ros2msg'").fetchall())
    except sqlite3.Error:
        return {}


def _know(types: Typestore, kind: str, definition: str | None) -> None:
    """Take a type up by its definition, unless it is known."""
    if kind not in types.fielddefs and definition is not None:
        types.register(get_types_from_msg(definition, kind))


_TABLE_LEAF = 0x0D
Value = None | int | float | bytes | str


def _leaf_rows(file: Path) -> Iterator[tuple[int, list[Value]]]:
    """Rows of all tables with their numbers, from the pages that are there; damaged ones left out.

    A table's inner pages, by which SQLite finds its rows, may be written behind their leaves.
    """
    with (
        open(file, "rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        size = _page_size(content[:100])
        usable = size - content[20]
        for start in range(size, len(content) - size + 1, size):  # the first holds the schema
            if content[start] != _TABLE_LEAF:
                continue
            cells = min(int.from_bytes(content[start + 3 : start + 5], "big"), (usable - 8) // 2)
            for cell in struct.unpack_from(f">{cells}H", content, start + 8):
                with suppress(IndexError, ValueError):
                    yield _row(content, start + cell, size, usable)


def _page_size(header: bytes) -> int:
    size = int.from_bytes(header[16:18], "big")
    return 65536 if size == 1 else size


def _row(content: mmap.mmap, at: int, size: int, usable: int) -> tuple[int, list[Value]]:
    """The row of a cell: its number and values; what does not fit follows on overflow pages."""
    length, at = _varint(content, at)
    number, at = _varint(content, at)
    if length > len(content):
        raise ValueError("longer than the file")
    local, least = length, (usable - 12) * 32 // 255 - 23
    if length > usable - 35:
        local = least + (length - least) % (usable - 4)
        local = local if local <= usable - 35 else least
    pieces, left = [content[at : at + local]], length - local
    following = int.from_bytes(content[at + local : at + local + 4], "big") if left else 0
    while left > 0:
        start = (following - 1) * size
        if following < 2 or start + size > len(content):
            raise ValueError("an overflow page is missing")
        pieces.append(content[start + 4 : start + 4 + min(left, usable - 4)])
        left -= usable - 4
        following = int.from_bytes(content[start : start + 4], "big")
    return number, _values(b"".join(pieces))


def _values(record: bytes) -> list[Value]:
    end, at = _varint(record, 0)
    kinds = []
    while at < end:
        kind, at = _varint(record, at)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)[kind] if kind < 10 else (kind - 12) // 2
        piece = record[at : at + size]
        if len(piece) < size or kind in (10, 11):
            raise ValueError("a record is not whole")
        at += size
        if kind == 0:
            values.append(None)
        elif kind == 7:
            values.append(struct.unpack(">d", piece)[0])
        elif kind in (8, 9):
            values.append(kind - 8)
        elif kind < 7:
            values.append(int.from_bytes(piece, "big", signed=True))
        else:
            values.append(piece if kind % 2 == 0 else piece.decode(errors="replace"))
    return values


def _varint(content: bytes | mmap.mmap, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for place in range(8):
        byte = content[at + place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    return value << 8 | content[at + 8], at + 9
