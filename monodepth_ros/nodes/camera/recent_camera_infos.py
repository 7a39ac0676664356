"""Matches camera_info messages to images."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sensor_msgs.msg import CameraInfo

from monodepth_ros.data.bags.messages.camera import is_calibrated
from monodepth_ros.data.bags.messages.image import nanoseconds

_MAX_MESSAGES = 64  # messages: two seconds of a fast camera


class RecentCameraInfos:
    """The last messages by their stamps; thread-safe.

    An image gets the message of its stamp, or else the newest one. Some drivers send zeros before
    they have read their calibration: such messages are used only until a calibrated one arrives.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_stamp: OrderedDict[int, CameraInfo] = OrderedDict()
        self._newest: CameraInfo | None = None

    def add(self, info: CameraInfo) -> None:
        """Store a message."""
        usable = is_calibrated(info)
        with self._lock:
            if self._newest is None or usable or not is_calibrated(self._newest):
                self._newest = info
            if usable:
                self._by_stamp[nanoseconds(info.header.stamp)] = info
                while len(self._by_stamp) > _MAX_MESSAGES:
                    self._by_stamp.popitem(last=False)

    def find(self, stamp: int) -> CameraInfo | None:
        """The message for an image with this stamp in nanoseconds; None before the first one."""
        with self._lock:
            return self._by_stamp.get(stamp, self._newest)

    def clear(self) -> None:
        """Remove all messages."""
        with self._lock:
            self._by_stamp.clear()
            self._newest = None
