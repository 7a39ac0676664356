"""Rosbag2 recordings (MCAP) written without rosbag2."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rosbags.interfaces import Qos
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from monodepth_ros.data.bags.recording.lean_mcap import LeanMcapWriter
from monodepth_ros.errors import UserError


class _LeanWriter(Writer):
    STORAGE_PLUGINS = {StoragePlugin.MCAP: LeanMcapWriter}  # noqa: RUF012 - as in the library


class BagWriter:
    """A new bag at ``path``, a folder with metadata.yaml and one MCAP file.

    UserError when there is something at ``path`` already.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[str, Any] = {}
        try:
            # Version 8 is what Humble reads, and every later distribution.
            self._writer = _LeanWriter(path, version=8, storage_plugin=StoragePlugin.MCAP)
            self._writer.open()
        except WriterError:
            raise UserError(f"{path}: exists already; a bag is not written over") from None

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes in the file, without the chunk that is still in memory."""
        return int(self._storage.bio.tell())

    def knows(self, kind: str) -> bool:
        """Whether the definition of a type is known; others come with `define`."""
        return kind in self._types.fielddefs

    def define(self, kind: str, definition: str) -> None:
        """Learn a type by its definition, as ``.msg`` files have it."""
        self._types.register(
            {
                name: fields
                for name, fields in get_types_from_msg(definition, kind).items()
                if not self.knows(name)
            }
        )

    def type_of(self, topic: str) -> str | None:
        """The type of a topic in this bag; None before its first message."""
        known = self._connections.get(topic)
        return None if known is None else known.msgtype

    def write(
        self, topic: str, kind: str, stamp: int, data: bytes, qos: Sequence[Qos] = ()
    ) -> None:
        """A message of type ``kind`` (``sensor_msgs/msg/Image``), serialised as CDR.

        ``stamp`` is when it was recorded, in nanoseconds; ``qos`` what its publishers offer, of
        which a topic's first message counts. UserError for a topic that has another type already.
        """
        if self.type_of(topic) not in (None, kind):
            raise UserError(f"{topic} is of type {self.type_of(topic)} in this bag, not {kind}")
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._types, offered_qos_profiles=qos
            )
        self._writer.write(self._connections[topic], stamp, data)

    def flush(self) -> None:
        """End the chunk under way and bring it to the disk: what is there survives a power cut."""
        self._storage.close_chunk()
        self._storage.bio.flush()
        os.fsync(self._storage.bio.fileno())

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        self._writer.close()

    def abandon(self) -> None:
        """Let go of a file that cannot be written any more, as on a full disk: without an index.

        What it holds up to its last complete chunk can be read.
        """
        with contextlib.suppress(OSError):  # closing tries once more to write what is buffered
            self._storage.bio.close()

    @property
    def _storage(self) -> LeanMcapWriter:
        assert isinstance(self._writer.storage, LeanMcapWriter)
        return self._writer.storage
