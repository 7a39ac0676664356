"""Depth images of a bag for the images of one of its cameras: paired in time, then registered.

Depth that is not registered to the images, because its frame, its camera_info or its size says so,
is brought to them through TF and the two cameras. Where one of these is missing it is refused.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monodepth_ros.data.bags.file import BagMessage
from monodepth_ros.data.bags.messages.camera import camera_from_info, is_rectified_topic
from monodepth_ros.data.bags.transform_tree import TransformTree, Unknown
from monodepth_ros.data.images.file import DepthImage
from monodepth_ros.data.layouts.depth_registration import DepthResampler, register_depth
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.stamps import TimedMessage

_WINDOW = 64  # depth images that were recorded before and after an image, of which one may be its
_SAME_PIXELS = 0.5  # of focal lengths and principal points: the same camera
_SAME_PLACE = 1e-6  # metres, and of rotations


def nearest_depths(
    images: Sequence[TimedMessage[Any]], depths: Sequence[TimedMessage[Any]],
    image_arrivals: Sequence[int], depth_arrivals: Sequence[int], tolerance: float,
) -> list[int | Unknown]:  # fmt: skip
    """For each image the number of the depth nearest in time, or why there is none.

    ``tolerance`` is in seconds. A depth that was recorded at quite another time is none: clocks
    are set back, and recordings play again.
    """
    numbers = np.array([n for n, depth in enumerate(depths) if not depth.reason], np.int64)
    if not len(numbers):
        return [Unknown("the topic of depth has no message that can be used")] * len(images)
    times = np.array([depths[n].time for n in numbers], np.int64)
    arrivals = np.array([depth_arrivals[n] for n in numbers], np.int64)
    epochs = np.array([depths[n].epoch for n in numbers])
    ascending = np.sort(times)
    reason = f"nearest stamp {{gap}} away (tolerance {1000 * tolerance:g} ms)"
    found: list[int | Unknown] = []
    for image, arrival in zip(images, image_arrivals, strict=True):
        middle = int(np.searchsorted(arrivals, arrival))
        window = slice(max(0, middle - _WINDOW), middle + _WINDOW)
        apart = np.abs(times[window] - image.time)
        apart[epochs[window] != image.epoch] = np.iinfo(np.int64).max
        if apart.min() <= tolerance * 1e9:
            found.append(int(numbers[window][apart.argmin()]))
        else:
            at = np.searchsorted(ascending, image.time)
            beside = ascending[max(0, at - 1) : at + 1]
            found.append(Unknown(reason, int(np.abs(beside - image.time).min())))
    return found


def with_depths(
    messages: Iterable[TimedMessage[BagMessage]], images: str, nearest: Sequence[int | Unknown]
) -> Iterator[tuple[TimedMessage[BagMessage], BagMessage | Unknown]]:
    """Every image of topic ``images``, in their order, with its depth as `nearest_depths` says."""
    uses = Counter(number for number in nearest if not isinstance(number, Unknown))
    depths: dict[int, BagMessage] = {}  # that have come and are still wanted
    waiting: deque[TimedMessage[BagMessage]] = deque()
    wanted = iter(nearest)
    number = 0  # of the next depth
    head: int | Unknown | None = None
    for message in messages:
        if message.item.topic == images:
            waiting.append(message)
        else:
            if uses[number]:
                depths[number] = message.item
            number += 1
        while waiting:
            head = next(wanted) if head is None else head
            if isinstance(head, Unknown):
                yield waiting.popleft(), head
            elif head in depths:
                uses[head] -= 1
                yield waiting.popleft(), depths[head] if uses[head] else depths.pop(head)
            elif head < number:
                yield waiting.popleft(), Unknown("the depth cannot be read")
            else:
                break
            head = None
    for image in waiting:
        yield image, Unknown("the depth cannot be read")


@dataclass
class DepthRegistration:
    """Depth of one topic for one camera's images: as it is, registered, or refused.

    ``info`` is the camera_info of the depth, None where there is none. ``camera`` is the camera of
    the images, ``stated`` what their own camera_info says of it, which a calibration may replace.
    """

    topic: str
    info: Any
    tree: TransformTree
    image_frame: str
    camera: PinholeCamera
    stated: PinholeCamera | None
    _resamplers: dict[tuple[int, ...], DepthResampler] = field(default_factory=dict)

    def __call__(self, depth: DepthImage, frame: str, stamp: int) -> DepthImage | Unknown:
        """The depth in the pixels of the images, or why it cannot be brought there.

        ``frame`` is its frame_id, ``stamp`` its time in nanoseconds.
        """
        frame, image_frame = frame.lstrip("/"), self.image_frame.lstrip("/")
        size = (self.camera.height, self.camera.width)
        apart = frame and image_frame and frame != image_frame
        camera = self._depth_camera(depth)
        if isinstance(camera, Unknown):
            if not apart and depth.shape == size:
                return depth
            return Unknown(f"{self._difference(depth, frame)}, and {camera.reason}")
        T = self.tree.relation(frame, image_frame, stamp) if apart else np.eye(4)
        if isinstance(T, Unknown):
            return Unknown(f"{self._difference(depth, frame)}, and {T.reason}", T.gap)
        if np.allclose(T, np.eye(4), atol=_SAME_PLACE):
            seen = depth if self._sees_the_same(camera) else self._resampled(depth, camera)
        else:
            seen = register_depth(depth, camera, self.camera, T)
        if np.isfinite(depth).any() and not np.isfinite(seen).any():
            return Unknown(f"{self._difference(depth, frame)}, and by TF no point is in the image")
        return seen

    def _depth_camera(self, depth: DepthImage) -> PinholeCamera | Unknown:
        if self.info is None:
            return Unknown("there is no camera_info beside it")
        try:
            height, width = depth.shape
            return camera_from_info(self.info, height, width, is_rectified_topic(self.topic))
        except UserError as error:
            return Unknown(f"its {error}")

    def _sees_the_same(self, depth_camera: PinholeCamera) -> bool:
        """Whether depth and images say that they are of one camera and one size."""
        own = self.stated or self.camera
        return (
            (own.height, own.width) == (depth_camera.height, depth_camera.width)
            and np.allclose(own.K, depth_camera.K, atol=_SAME_PIXELS)
            and own.distortion_model == depth_camera.distortion_model
            and own.D == depth_camera.D
        )

    def _resampled(self, depth: DepthImage, camera: PinholeCamera) -> DepthImage:
        if depth.shape not in self._resamplers:
            self._resamplers[depth.shape] = DepthResampler(camera, self.camera)
        return self._resamplers[depth.shape](depth)

    def _difference(self, depth: DepthImage, frame: str) -> str:
        height, width = depth.shape
        return (
            f"depth of another camera: {self.topic} is {width}x{height} in frame {frame!r}, the"
            f" images are {self.camera.width}x{self.camera.height} in {self.image_frame!r}"
        )
