"""A camera that drives: images for the odometry node, and what it answers."""

from __future__ import annotations

from typing import Any

import numpy as np
from std_msgs.msg import Header
from viewer import CAMERA, Viewer

from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

SECOND = 1_000_000_000
# No TF is published here, and diagnostics should not keep a test waiting.
ANY_METHOD = ("device:=cpu", "mounting:=parameters", "diagnostics_period:=0.2")
ALONE = (*ANY_METHOD, "method:=network")


def texture(seed: int) -> Any:
    coarse = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


class Drive:
    """Plays a new image every time, stamped at 10 Hz from now on, however fast it plays."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer, self.now = viewer, viewer.node.get_clock().now().nanoseconds
        self.images: list[Any] = []
        self.frame_id = "camera_optical"

    def play(self, image: Any = None, step: float = 0.1) -> None:
        self.now += int(step * SECOND)
        self.images.append(texture(len(self.images)) if image is None else image)
        self.resend()

    def begin(self) -> None:
        """The first image once more, later."""
        self.images.clear()
        self.play()

    def resend(self) -> None:
        header = Header(frame_id=self.frame_id)
        header.stamp.sec, header.stamp.nanosec = divmod(self.now, SECOND)
        self.viewer.send(
            encode_image(self.images[-1], "rgb8", header), info_of_camera(CAMERA, header)
        )


def stamp_of(message: Any) -> int:
    return int(message.header.stamp.sec * SECOND + message.header.stamp.nanosec)


def play_and_hear(viewer: Viewer, drive: Drive, **how: Any) -> Any:
    """The odometry of one more image."""
    drive.play(**how)
    now = drive.now

    def arrived() -> bool:
        heard = viewer.heard["odom"]
        return bool(heard) and stamp_of(heard[-1]) == now

    viewer.until(arrived, 10.0)
    return viewer.heard["odom"][-1]
