"""A drive past a rendered room, played to a node with what another sensor says."""

from __future__ import annotations

from typing import Any

import numpy as np
from drive import SECOND
from rendered_planes import CAMERA, Rectangle, render
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from viewer import Viewer

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.geometry.rigid_motion import rigid
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

STEP = 0.06  # metres to the left in an image


def room() -> list[Rectangle]:
    """A wall 3 m before the camera, one nearer to its left, and the ground."""
    x, y, z = np.eye(3)
    return [
        Rectangle(np.array([-4, -3, 3.0]), 8 * x, 6 * y, seed=1),
        Rectangle(np.array([-2.5, -2, 2.0]), 1.8 * x, 4 * y, seed=2),
        Rectangle(np.array([-4, 1.0, 0.5]), 8 * x, 6 * z, seed=3),
    ]


def drive_past(step: float = STEP) -> list[tuple[Any, Any]]:
    """RGB and depth of a camera that moves to its left."""
    seen = []
    for k in range(7):
        grey, depth, _ = render(room(), rigid(np.eye(3), [-step * k, 0, 0]))
        seen.append((np.repeat(grey[..., None], 3, 2), depth))
    return seen


def to_and_fro(count: int, images: int) -> int:
    """Number of the image that is played as the ``count``-th."""
    last = images - 1
    return last - abs(last - count % (2 * last))


class Player:
    """Plays the drive to and fro at 10 Hz of stamps, with what another sensor says."""

    def __init__(self, viewer: Viewer, images: Any, sensor: Any) -> None:
        self.viewer, self.images, self.sensor = viewer, images, sensor
        self.now, self.count = viewer.node.get_clock().now().nanoseconds, 0
        self.at: dict[int, int] = {}  # number of the image, by its stamp

    def play(self) -> None:
        number = to_and_fro(self.count, len(self.images))
        self.count, self.now = self.count + 1, self.now + SECOND // 10
        header = Header(frame_id="camera_optical")
        header.stamp.sec, header.stamp.nanosec = divmod(self.now, SECOND)
        self.sensor(header, number, self.images[number][1])
        self.at[self.now] = number
        rgb = self.images[number][0]
        self.viewer.send(encode_image(rgb, "rgb8", header), info_of_camera(CAMERA, header))

    def truth_of(self, message: Image) -> Any:
        stamp = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        return self.images[self.at[stamp]][1]


def median_ratio(viewer: Viewer, player: Player, rows: tuple[float, float] = (0, 1)) -> float:
    """Depth that was published last over the truth of its image, in rows by their share of it."""
    message = viewer.heard["depth/image_rect"][-1]
    depth, truth = decode_depth(message), player.truth_of(message)
    y, x = (
        np.linspace(0, n - 1, m).round().astype(int)
        for n, m in zip(truth.shape, depth.shape, strict=True)
    )
    first, last = (round(share * len(depth)) for share in rows)
    chosen = slice(first, last)
    return float(np.nanmedian(depth[chosen]) / np.median(truth[np.ix_(y[chosen], x)]))
