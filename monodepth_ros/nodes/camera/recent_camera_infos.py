"""Which camera_info an image belongs to."""

from __future__ import annotations

import threading
from collections import OrderedDict

from sensor_msgs.msg import CameraInfo

from monodepth_ros.data.bags.messages.camera import is_calibrated
from monodepth_ros.data.bags.messages.image import nanoseconds

_KEPT = 64  # messages: two seconds of a fast camera


class RecentCameraInfos:
    """The last messages by their stamps. An image takes its own, or else the newest one.

    Drivers send zeros until they have read their calibration: those count only as long as nothing
    else has come.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_stamp: OrderedDict[int, CameraInfo] = OrderedDict()
        self._newest: CameraInfo | None = None

    def add(self, info: CameraInfo) -> None:
        """Keep a message. From any thread, as all methods."""
        usable = is_calibrated(info)
        with self._lock:
            if self._newest is None or usable or not is_calibrated(self._newest):
                self._newest = info
            if usable:
                self._by_stamp[nanoseconds(info.header.stamp)] = info
                while len(self._by_stamp) > _KEPT:
                    self._by_stamp.popitem(last=False)

    def of(self, stamp: int) -> CameraInfo | None:
        """The message of an image, by its stamp in nanoseconds. None before the first one."""
        with self._lock:
            return self._by_stamp.get(stamp, self._newest)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._by_stamp.clear()
            self._newest = None
