"""Transforms of TF as matrices, or why there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from monodepth_ros.data.bags.transform_tree import matrix_of


class Transforms:
    """Listens to TF from the first question on that needs it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._buffer: Any = None
        self._listener: Any = None

    def between(self, target: str, source: str, stamp: int) -> NDArray[np.float64] | str:
        """``T_target_source`` 4x4 at ``stamp`` nanoseconds, or why it is not known."""
        if target == source:
            return np.eye(4)
        if self._buffer is None:
            try:
                import tf2_ros
            except ImportError:
                return f"tf2_ros is not installed: TF from {target} to {source} is not known"
            self._buffer = tf2_ros.Buffer()
            self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        try:
            found = self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
        except Exception as error:  # tf2 has a type of its own for each reason
            return f"TF from {target} to {source} is not available ({error})"
        return matrix_of(found.transform.translation, found.transform.rotation)

    def close(self) -> None:
        """Unsubscribe."""
        if self._listener is not None:
            self._listener.unregister()
        self._buffer = self._listener = None
