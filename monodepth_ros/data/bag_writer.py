"""Rosbag2 recordings (MCAP) written without rosbag2."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.errors import UserError


class BagWriter:
    """A new bag at ``path``, a folder with metadata.yaml and one MCAP file.

    UserError when there is something at ``path`` already.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise UserError(f"{path}: exists already; a bag is not written over")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Version 8 is what Humble reads, and every later distribution.
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._connections: dict[str, Any] = {}
        self._writer.open()

    def __enter__(self) -> BagWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def write(self, topic: str, kind: str, stamp: int, data: bytes) -> None:
        """A message of type ``kind`` (``sensor_msgs/msg/Image``), serialised as CDR.

        ``stamp`` is when it was recorded, in nanoseconds.
        """
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._types
            )
        self._writer.write(self._connections[topic], stamp, data)
