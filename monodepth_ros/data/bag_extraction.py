"""From bags to sequence folders: the frames of each camera with what the bag knows of them.

Twice through the bag: first its small messages (camera_info, TF, odometry), then images and depths.
An interrupted extraction, started again with the same options, goes on behind its last frame; one
that is complete is found. A folder with another extraction is refused.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.bag_file import BagFile, BagMessage
from monodepth_ros.data.bag_times import BagTimes
from monodepth_ros.data.bag_truth import TF, CameraTruth, pose_topic
from monodepth_ros.data.camera_message import camera_from_info
from monodepth_ros.data.capture_settings import camera_of_field_of_view
from monodepth_ros.data.extraction_record import (
    check_origin,
    origin_of,
    read_outcome,
    write_outcome,
)
from monodepth_ros.data.frame_spacing import flow_steps
from monodepth_ros.data.image_message import (
    COMPRESSED,
    IMAGE,
    decode_compressed,
    decode_compressed_depth,
    decode_depth,
    decode_image,
    nanoseconds,
)
from monodepth_ros.data.intrinsics import warn_of_guess
from monodepth_ros.data.sequence_folder import ExtractionOrigin, SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.mask_size import resize_nearest
from monodepth_ros.stamps import Judged

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
_WAITING = 64  # images kept until the depth of their time has come
_MOTION_WIDTH = 160  # pixels


@dataclass(frozen=True)
class ExtractionRequest:
    """What to take of a bag; topics that are None are found by their types and names.

    ``tolerance`` is seconds between an image and its depth. ``motion`` is how far the image must
    have moved since the last frame taken, as a share of its width: 0 takes every frame. ``camera``
    is for images without a usable camera_info, and so is ``field_of_view`` (degrees), a guess;
    ``fps`` is for recordings without stamps, which a bag never is;
    ``mounting`` is ``T_base_camera`` as in :class:`CameraTruth`.
    """

    images: tuple[str, ...] | None = None
    camera_info: str | None = None
    camera: PinholeCamera | None = None
    field_of_view: float | None = None
    fps: float | None = None
    depth: str | None = None
    poses: str | None = None
    frame: str | None = None
    mounting: NDArray[np.float64] | None = None
    tolerance: float = 0.02
    motion: float = 0.0
    every: int = 1
    image_format: Literal["jpg", "png"] = "jpg"
    licence: str = ""


@dataclass
class ExtractedSequence:
    """What came of one camera: frames written in all, and how many messages were left out, why."""

    topic: str
    folder: Path
    frames: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def as_outcome(self) -> dict[str, Any]:
        """What is stored of it beside the frames."""
        return {"frames": self.frames, "left_out": dict(self.left_out)}


def image_topics(topics: Mapping[str, str]) -> list[str]:
    """The topics of cameras: images that are not depths, one of raw and compressed of each."""
    images = [n for n, kind in topics.items() if kind in (IMAGE, COMPRESSED) and not _is_depth(n)]
    raw = {name for name in images if topics[name] == IMAGE}
    return sorted(n for n in images if n in raw or n.removesuffix("/compressed") not in raw)


def info_topic(image: str, topics: Mapping[str, str]) -> str | None:
    """The camera_info beside an image topic, as image_transport names it."""
    namespace = image.removesuffix("/compressed").rpartition("/")[0]
    beside = f"{namespace}/camera_info"
    return beside if topics.get(beside) == CAMERA_INFO else None


class BagExtraction:
    """One bag and one request: the cameras that it has, and the frames of each."""

    def __init__(self, bag: BagFile, request: ExtractionRequest) -> None:
        self.bag, self.request = bag, request
        self.images = list(request.images or image_topics(bag.topics))
        if not self.images:
            raise UserError(f"{bag.path}: holds no camera's images; its topics are {_table(bag)}")
        for topic in (*self.images, request.camera_info, request.depth):
            if topic is not None and topic not in bag.topics:
                raise UserError(f"{bag.path}: no topic {topic!r}; its topics are {_table(bag)}")
        self.truth = CameraTruth(
            pose_topic(bag.topics, request.poses), request.frame, request.mounting
        )
        self.times = BagTimes()
        self.infos: dict[str, Any] = {}
        self.frame_ids: dict[str, str] = {}
        self.guessed: set[str] = set()  # image topics whose camera is a guess
        self._cameras: dict[str, PinholeCamera] = {}
        self._look_around()

    def _look_around(self) -> None:
        """The first pass: cameras, transforms, poses, speeds, and how many images there are.

        Of odometry only the topic that was named: others may be an estimate of ours.
        """
        kinds = self.bag.topics
        small = {n for n, kind in kinds.items() if kind in (TF, CAMERA_INFO)}
        small |= {topic for topic in (self.truth.topic, self.request.depth) if topic is not None}
        for message in self.bag.messages({*small, *self.images}):
            topic, kind = message.topic, kinds[message.topic]
            if kind == CAMERA_INFO:
                self.infos.setdefault(topic, message.content)
            elif kind == TF:
                self._take_transforms(message)
            else:
                pose = message.content if topic == self.truth.topic else None
                self.times.add(topic, message.header_stamp, message.stamp, pose)
            if topic in self.images:
                self.frame_ids.setdefault(topic, message.content.header.frame_id)
        for stream in self.times.streams:
            self._take_truth(stream)
        self.bag.problems += self.times.notes

    def _take_transforms(self, message: BagMessage) -> None:
        static = message.topic.endswith("tf_static")
        for transform in message.content.transforms:
            stamp = nanoseconds(transform.header.stamp)
            if static:
                self.truth.take_transform(transform, stamp, static)
            else:
                stream = f"{message.topic} ({transform.child_frame_id})"
                self.times.add(stream, stamp, message.stamp, transform)

    def _take_truth(self, stream: str) -> None:
        """Poses and transforms at the times of their streams; of those left out, how many."""
        left_out: Counter[str] = Counter()
        for judged in self.times.judged(stream):
            if judged.reason:
                left_out[judged.reason] += 1
            elif stream == self.truth.topic:
                self.truth.take_pose(judged.item, self.bag.topics[stream], judged.time)
            elif judged.item is not None:
                self.truth.take_transform(judged.item, judged.time, False)
        if stream not in self.images:  # those of images are counted with them
            self.bag.problems += [f"{stream}: {n} left out: {why}" for why, n in left_out.items()]

    def extract(self, topic: str, folder: Path) -> Iterator[ExtractedSequence]:
        """Write one camera's frames; yields after every image message, for a progress bar.

        Frames that are in ``folder`` already are kept. UserError where they are of another bag or
        request.
        """
        origin = origin_of(self.bag, topic, self.request)
        check_origin(folder, origin)
        if (found := read_outcome(folder)) is not None:
            self.bag.problems += found["problems"]
            yield ExtractedSequence(topic, folder, found["frames"], Counter(found["left_out"]))
            return
        done = ExtractedSequence(topic, folder)
        self.check_poses(topic)
        writer: SequenceWriter | None = None
        try:
            for rgb, image, depth in self.frames(topic, done.left_out):
                if rgb is not None:
                    if writer is None:
                        writer = self._writer(topic, folder, self.camera(topic, rgb), origin)
                    if done.frames == len(writer):
                        self._add(writer, topic, rgb, image.time, depth)
                    elif writer.stamps[done.frames] != image.time:
                        raise _edited(folder)
                    done.frames += 1
                yield done
        finally:
            if writer is not None:
                writer.close()
        if writer is not None:
            if done.frames != len(writer):
                raise _edited(folder)
            write_outcome(folder, {**done.as_outcome(), "problems": self.bag.problems})

    def _add(
        self,
        writer: SequenceWriter,
        topic: str,
        rgb: NDArray[np.uint8],
        stamp: int,
        depth: NDArray[np.float32] | None,
    ) -> None:
        if depth is not None and depth.shape != rgb.shape[:2]:
            depth = resize_nearest(depth, (rgb.shape[0], rgb.shape[1])).astype(np.float32)
        pose = self.pose(topic, stamp)
        writer.add(rgb, depth=depth, pose=pose, stamp_ns=stamp, speed=self.truth.speed(stamp))

    def check_poses(self, topic: str) -> None:
        """UserError where true poses are asked for and this camera can have none."""
        self.truth.check(self.frame_ids.get(topic, ""))

    def pose(self, topic: str, stamp: int) -> NDArray[np.float64] | None:
        """``T_world_camera`` of the optical frame, where the bag says it."""
        return self.truth.pose(self.frame_ids[topic], stamp)

    def _writer(
        self, topic: str, folder: Path, camera: PinholeCamera, origin: ExtractionOrigin
    ) -> SequenceWriter:
        return SequenceWriter(
            folder,
            camera,
            fps=self._rate(topic),
            image_format=self.request.image_format,
            camera_frame=self.frame_ids[topic] or "camera",
            source=f"{self.bag.path.name} {topic}",
            licence=self.request.licence,
            origin=origin,
            calibration="guessed" if topic in self.guessed else "measured",
        )

    def _rate(self, topic: str) -> float:
        """Images taken a second, by the bag's own clock."""
        steps = np.diff(sorted(self.times.recorded(topic)))
        steps = steps[steps > 0]
        return round(1e9 / float(np.median(steps)) / self.request.every, 3) if steps.size else 1.0

    def camera(self, topic: str, rgb: NDArray[np.uint8]) -> PinholeCamera:
        """Of the first image of this size; the same for all that follow."""
        if topic not in self._cameras:
            self._cameras[topic] = self._found_camera(topic, rgb)
        return self._cameras[topic]

    def _found_camera(self, topic: str, rgb: NDArray[np.uint8]) -> PinholeCamera:
        height, width = rgb.shape[:2]
        if self.request.camera is not None:
            camera = self.request.camera
            if (camera.height, camera.width) != (height, width):
                raise UserError(
                    f"--camera is of {camera.width}x{camera.height} images, but those of {topic}"
                    f" are {width}x{height}"
                )
            return camera
        name = self.request.camera_info or info_topic(topic, self.bag.topics)
        if name is None or name not in self.infos:
            if self.request.field_of_view is not None:
                self.guessed.add(topic)
                warn_of_guess(f"{self.bag.path.name} {topic}")
                return camera_of_field_of_view(height, width, self.request.field_of_view)
            raise UserError(
                f"{self.bag.path}: no camera_info for {topic}: give --camera-info TOPIC, or"
                " --camera FILE with the calibration, or guess with --field-of-view DEGREES"
            )
        return camera_from_info(self.infos[name], height, width)

    def frames(
        self, topic: str, left_out: Counter[str]
    ) -> Iterator[tuple[NDArray[np.uint8] | None, Judged[BagMessage], NDArray[np.float32] | None]]:
        """Every image message once, with its time and its depth; None for what is not taken.

        ``left_out`` counts why. Depth in metres, of whatever size its images have.
        """
        last: NDArray[np.uint8] | None = None
        number = 0
        for image, near in self._with_depth(topic):
            rgb, depth = None, None
            if image.reason:
                left_out[image.reason] += 1
            elif number % self.request.every:
                left_out["between every n-th image"] += 1
            else:
                try:
                    rgb = self._decoded(image.item)
                    depth = None if near is None else self._decoded_depth(near)
                except UserError as error:
                    rgb = None
                    left_out[str(error)] += 1
            number += not image.reason
            if rgb is not None and self.request.motion > 0:
                small = thumbnail(rgb)
                if last is None or moved_since(last, small) >= self.request.motion:
                    last = small
                else:
                    left_out["without motion"] += 1
                    rgb = None
            if rgb is not None and not self._fits(topic, rgb):
                left_out["images of another size"] += 1
                rgb = None
            yield rgb, image, depth

    def _fits(self, topic: str, rgb: NDArray[np.uint8]) -> bool:
        camera = self.camera(topic, rgb)
        return (camera.height, camera.width) == rgb.shape[:2]

    def _with_depth(self, topic: str) -> Iterator[tuple[Judged[BagMessage], BagMessage | None]]:
        """Every image with the depth nearest in time, if one is near enough."""
        depth_topic = self.request.depth
        if depth_topic is None:
            for image in self._judged({topic}):
                yield image, None
            return
        waiting: deque[Judged[BagMessage]] = deque()
        depths: deque[Judged[BagMessage]] = deque(maxlen=_WAITING)
        for message in self._judged({topic, depth_topic}):
            if message.item.topic == topic:
                waiting.append(message)
            elif not message.reason:
                depths.append(message)
            newest = depths[-1].time if depths else None
            # Depth is made of the image, so it comes later.
            while waiting and (
                len(waiting) > _WAITING or (newest is not None and newest > waiting[0].time)
            ):
                image = waiting.popleft()
                yield image, self._nearest(image, depths)
        for image in waiting:
            yield image, self._nearest(image, depths)

    def _judged(self, topics: Set[str]) -> Iterator[Judged[BagMessage]]:
        """The messages of some topics, each with what its stream's clock says of it."""
        judged = {topic: iter(self.times.judged(topic)) for topic in topics}
        for message in self.bag.messages(topics):
            known = next(judged[message.topic], None)
            if known is None:
                raise UserError(f"{self.bag.path}: grows while it is read: let its recording end")
            yield replace(known, item=message)

    def _nearest(
        self, image: Judged[BagMessage], depths: Sequence[Judged[BagMessage]]
    ) -> BagMessage | None:
        apart = [abs(depth.time - image.time) for depth in depths]
        if not apart or min(apart) > self.request.tolerance * 1e9:
            return None
        return depths[apart.index(min(apart))].item

    def _decoded(self, message: BagMessage) -> NDArray[np.uint8]:
        if self.bag.topics[message.topic] == COMPRESSED:
            return decode_compressed(message.content)
        return decode_image(message.content)

    def _decoded_depth(self, message: BagMessage) -> NDArray[np.float32]:
        if self.bag.topics[message.topic] == COMPRESSED:
            return decode_compressed_depth(message.content)
        return decode_depth(message.content)


def _edited(folder: Path) -> UserError:
    return UserError(
        f"{folder / 'frames.csv'}: holds other frames than this extraction has written: choose"
        " another --out, or remove the folder"
    )


def thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Small, and with the channels first."""
    height, width = rgb.shape[:2]
    size = (_MOTION_WIDTH, max(1, round(height * _MOTION_WIDTH / width)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return small.transpose(2, 0, 1).astype(np.uint8, copy=False)


def moved_since(last: NDArray[np.uint8], now: NDArray[np.uint8]) -> float:
    """By how much of its width the image has moved; far, where it is of another size."""
    return float(flow_steps(np.stack([last, now]))[0]) if last.shape == now.shape else np.inf


def _is_depth(topic: str) -> bool:
    return "depth" in topic.lower()


def _table(bag: BagFile) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(bag.topics.items())) or "none"
