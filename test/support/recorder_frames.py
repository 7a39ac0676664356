"""A recorder under test, and frames for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from bag_messages import TYPES, image, picture, stamp_of

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.recording.recorder import BagRecorder, Recorded, RecorderSettings

IMAGE, FLOAT = "sensor_msgs/msg/Image", "std_msgs/msg/Float64"


def frame(number: int, padding: int = 0) -> Recorded:
    """An image message at 10 Hz, made larger by ``padding`` rows."""
    rgb = np.concatenate([picture(number % 40), np.zeros((padding, 32, 3), np.uint8)])
    data = bytes(TYPES.serialize_cdr(image(stamp_of(number), rgb), IMAGE))
    return Recorded("/camera/image_raw", IMAGE, stamp_of(number), data)


def recorder(folder: Path, **settings: Any) -> BagRecorder:
    return BagRecorder(RecorderSettings(folder, **{"min_free_disk_mb": 0.0, **settings}))


def stamps(bag: Path) -> list[int]:
    with BagFile(bag) as opened:
        return [message.stamp for message in opened.messages()]


def wait_until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
