"""Small bags written without ROS: a robot that drives along x past a picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.recording.writer import BagWriter

SECOND = 1_000_000_000
TYPES = get_typestore(Stores.ROS2_HUMBLE)
HEIGHT, WIDTH = 24, 32
FRAMES = 12
OFFSET = np.array([0.2, 0.0, 0.5])  # of the camera on the robot


def make(kind: str, **fields: Any) -> Any:
    """A message of ``package/msg/Kind``."""
    return TYPES.types[kind](**fields)


def header(stamp: int, frame: str) -> Any:
    """A header at a time in nanoseconds."""
    sec, nanosec = divmod(stamp, SECOND)
    time = make("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame)


def picture(number: int) -> NDArray[np.uint8]:
    """Uint8 RGB, another one each time."""
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 255, (8, 24, 3), np.uint8), (4 * WIDTH, HEIGHT))
    return np.ascontiguousarray(wide[:, 2 * number : 2 * number + WIDTH])


def image(stamp: int, rgb: NDArray[np.uint8], frame: str = "camera_optical") -> Any:
    """An Image message."""
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp, frame),
        height=rgb.shape[0],
        width=rgb.shape[1],
        encoding="rgb8",
        is_bigendian=0,
        step=3 * rgb.shape[1],
        data=rgb.reshape(-1),
    )


def depth_image(stamp: int, metres: float) -> Any:
    """A 16UC1 Image of one depth."""
    data = np.full((HEIGHT, WIDTH), round(1000 * metres), "<u2").view(np.uint8).reshape(-1)
    fields = {"encoding": "16UC1", "is_bigendian": 0, "step": 2 * WIDTH, "data": data}
    stamped = header(stamp, "camera_optical")
    return make("sensor_msgs/msg/Image", header=stamped, height=HEIGHT, width=WIDTH, **fields)


def camera_info(stamp: int, height: int = HEIGHT, width: int = WIDTH) -> Any:
    """A calibrated camera without distortion."""
    roi = make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0, y_offset=0, height=0, width=0, do_rectify=False,
    )  # fmt: skip
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp, "camera_optical"),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([30.0, 0, width / 2, 0, 30.0, height / 2, 0, 0, 1]),
        r=np.eye(3).reshape(-1),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=roi,
    )


def transform(stamp: int, parent: str, child: str, xyz: NDArray[np.float64], q: Any) -> Any:
    """A TFMessage with one transform; ``q`` is x, y, z, w."""
    return make(
        "tf2_msgs/msg/TFMessage",
        transforms=[
            make(
                "geometry_msgs/msg/TransformStamped",
                header=header(stamp, parent),
                child_frame_id=child,
                transform=make(
                    "geometry_msgs/msg/Transform",
                    translation=_vector("Vector3", xyz),
                    rotation=_quaternion(q),
                ),
            )
        ],
    )


def odometry(stamp: int, x: float, speed: float) -> Any:
    """The robot at ``x`` metres, driving ahead."""
    pose = make(
        "geometry_msgs/msg/Pose",
        position=_vector("Point", np.array([x, 0.0, 0.0])),
        orientation=_quaternion((0.0, 0.0, 0.0, 1.0)),
    )
    twist = make(
        "geometry_msgs/msg/Twist",
        linear=_vector("Vector3", np.array([speed, 0.0, 0.0])),
        angular=_vector("Vector3", np.zeros(3)),
    )
    return make(
        "nav_msgs/msg/Odometry",
        header=header(stamp, "odom"),
        child_frame_id="base_link",
        pose=make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36)),
        twist=make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=np.zeros(36)),
    )


def _vector(kind: str, xyz: NDArray[np.float64]) -> Any:
    x, y, z = map(float, xyz)
    return make(f"geometry_msgs/msg/{kind}", x=x, y=y, z=z)


def _quaternion(xyzw: Any) -> Any:
    x, y, z, w = map(float, xyzw)
    return make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def stamp_of(number: int) -> int:
    """Of a frame, at 10 Hz."""
    return 100 * SECOND + number * SECOND // 10


def write_messages(path: Path, messages: Iterable[tuple[str, Any, int]]) -> Path:
    """A bag of (topic, message, when it was recorded)."""
    with BagWriter(path) as bag:
        for topic, message, at in sorted(messages, key=lambda each: each[2]):
            kind = message.__msgtype__
            bag.write(topic, kind, at, bytes(TYPES.serialize_cdr(message, kind)))
    return path


def write_drive(path: Path, frames: int = FRAMES) -> Path:
    """Images at 10 Hz at 1 m/s, with depth, odometry between them, and where the camera sits."""
    optical = (-0.5, 0.5, -0.5, 0.5)  # looks ahead
    start = stamp_of(0) - SECOND // 10
    mounted = transform(start, "base_link", "camera_optical", OFFSET, optical)
    messages: list[tuple[str, Any, int]] = [("/tf_static", mounted, start)]
    for number in range(frames):
        stamp = stamp_of(number)
        for at in (stamp - 50_000_000, stamp + 30_000_000):
            messages.append(("/odom", odometry(at, (at - stamp_of(0)) / SECOND, 1.0), at))
        depth = depth_image(stamp + 4_000_000, 1 + 0.1 * number)
        messages += [
            ("/front/camera_info", camera_info(stamp), stamp),
            ("/front/image_raw", image(stamp, picture(number)), stamp + 1_000_000),
            ("/front/depth/image", depth, stamp + 9_000_000),
        ]
    return write_messages(path, messages)


def write_camera(path: Path, numbers: range, topics: tuple[str, ...] = ("/image_raw",)) -> Path:
    """Pictures by number at 1 Hz on each topic, with their camera_info; replaces what is there."""
    shutil.rmtree(path, ignore_errors=True)
    messages: list[tuple[str, Any, int]] = []
    for number in numbers:
        stamp = SECOND * (number + 1)
        for topic in topics:
            info = f"{topic.rpartition('/')[0]}/camera_info"
            messages += [
                (info, camera_info(stamp), stamp),
                (topic, image(stamp, picture(number)), stamp),
            ]
    return write_messages(path, messages)


def write_images(path: Path, stamps: list[int], begin: int = 1_700_000_000 * SECOND) -> Path:
    """Images with these stamps and their camera_info, recorded at 10 Hz from ``begin`` on."""
    messages: list[tuple[str, Any, int]] = []
    for number, stamp in enumerate(stamps):
        at = begin + number * SECOND // 10
        messages += [
            ("/front/camera_info", camera_info(stamp), at),
            ("/front/image_raw", image(stamp, picture(number % FRAMES)), at),
        ]
    return write_messages(path, messages)
