"""The rosbags library's MCAP writer without its copies of every message.

A chunk is kept as the pieces that came, and these go to the file as they are: the library copies
each message five times on its way, half of a recorder's processor time at 40 MB a second.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from io import BytesIO
from typing import TYPE_CHECKING, Any

from rosbags.rosbag2.storage_mcap import McapWriter

if TYPE_CHECKING:
    from rosbags.interfaces import Connection

_MESSAGE, _CHUNK, _MESSAGE_INDEX = 0x05, 0x06, 0x07
_CHUNK_BYTES = 2**20  # after which a chunk ends by itself
_NO_TIME = 2**63 - 1


class LeanMcapWriter(McapWriter):
    """Chunks without compression and without checksum, as the library's own are by default."""

    _pieces: list[bytes | memoryview]  # of the chunk under way
    _bytes: int
    _first: int  # its earliest and its latest message, nanoseconds
    _last: int
    _index: defaultdict[int, list[tuple[int, int]]]  # of each channel: time and place in the chunk

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._begin_chunk()

    def write(self, connection: Connection, timestamp: int, data: bytes | memoryview) -> None:
        """A message into the chunk under way; ``data`` must not change afterwards."""
        # First what may fail: a message that cannot be stored must leave no trace in the index.
        head = struct.pack(
            "<BQHIQQ", _MESSAGE, 22 + len(data), connection.id, 0, timestamp, timestamp
        )
        self._take_definitions()
        self.message_start_time = min(timestamp, self.message_start_time)
        self.message_end_time = max(timestamp, self.message_end_time)
        self.channel_stats[connection.id] += 1
        self._first, self._last = min(self._first, timestamp), max(self._last, timestamp)
        self._index[connection.id].append((timestamp, self._bytes))
        self._add(head)
        self._add(data)
        if self._bytes > _CHUNK_BYTES:
            self.close_chunk()

    def close_chunk(self) -> None:
        """End the chunk under way, if there is anything in it."""
        self._take_definitions()
        if not self._pieces:
            return
        start = self.bio.tell()
        fixed = struct.pack("<QQQIIQ", self._first, self._last, self._bytes, 0, 0, self._bytes)
        self.bio.write(struct.pack("<BQ", _CHUNK, len(fixed) + self._bytes) + fixed)
        self.bio.writelines(self._pieces)
        end = self.bio.tell()
        offsets = []
        for channel, entries in self._index.items():
            offsets.append(struct.pack("<HQ", channel, self.bio.tell()))
            body = struct.pack("<HI", channel, 16 * len(entries))
            body += b"".join(struct.pack("<QQ", *entry) for entry in entries)
            self.bio.write(struct.pack("<BQ", _MESSAGE_INDEX, len(body)) + body)
        record = BytesIO()
        times = (self._first, self._last)
        record.write(struct.pack("<QQQQI", *times, start, end - start, 10 * len(offsets)))
        record.writelines(offsets)
        record.write(struct.pack("<QIQQ", self.bio.tell() - end, 0, self._bytes, self._bytes))
        self.chunks.append(record)
        self._begin_chunk()

    def close(self, version: int, metadata: str) -> None:
        """End the chunk under way, and write the index."""
        self.close_chunk()
        super().close(version, metadata)

    def _begin_chunk(self) -> None:
        self._pieces = []
        self._bytes = 0
        self._first, self._last = _NO_TIME, 0
        self._index = defaultdict(list)

    def _add(self, piece: bytes | memoryview) -> None:
        self._pieces.append(piece)
        self._bytes += len(piece)

    def _take_definitions(self) -> None:
        """Schemas and channels, which the library writes to a chunk of its own."""
        if self.chunk.bio.tell():
            self._add(self.chunk.bio.getvalue())
            self.chunk.bio.seek(0)
            self.chunk.bio.truncate()
