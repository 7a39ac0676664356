"""A bag as a camera alone would leave it: images and camera_info of a recording, no truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.sequence import Sequence

_TYPES = get_typestore(Stores.ROS2_HUMBLE)


def write_camera_bag(sequence: Sequence, path: Path, rate: float = 30.0) -> None:
    """Frames of ``sequence`` as rgb8 messages, at their stamps or at ``rate`` in Hz."""
    with BagWriter(path) as bag:
        for index in range(len(sequence)):
            stamp = sequence.stamp_ns(index)
            stamp = round(1e9 * (1 + index / rate)) if stamp is None else stamp
            rgb = np.ascontiguousarray(sequence.image(index))
            for topic, kind, message in (
                ("/camera/camera_info", "sensor_msgs/msg/CameraInfo", _info(sequence, stamp)),
                ("/camera/image_raw", "sensor_msgs/msg/Image", _image(rgb, stamp)),
            ):
                bag.write(topic, kind, stamp, bytes(_TYPES.serialize_cdr(message, kind)))


def _make(kind: str, **fields: Any) -> Any:
    return _TYPES.types[kind](**fields)


def _header(stamp: int) -> Any:
    seconds, nanoseconds = divmod(stamp, 1_000_000_000)
    time = _make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return _make("std_msgs/msg/Header", stamp=time, frame_id="camera_optical")


def _image(rgb: np.ndarray[Any, np.dtype[np.uint8]], stamp: int) -> Any:
    height, width = rgb.shape[:2]
    return _make(
        "sensor_msgs/msg/Image",
        header=_header(stamp),
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=rgb.reshape(-1),
    )


def _info(sequence: Sequence, stamp: int) -> Any:
    camera = sequence.camera
    roi = _make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
    )  # fmt: skip
    K = np.asarray(camera.K, np.float64)
    return _make(
        "sensor_msgs/msg/CameraInfo",
        header=_header(stamp),
        height=camera.height,
        width=camera.width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=K.reshape(-1),
        r=np.eye(3).reshape(-1),
        p=np.hstack([K, np.zeros((3, 1))]).reshape(-1),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )
