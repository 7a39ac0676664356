"""The frames of a bag's cameras, with what the bag knows of them: cameras, depth, poses, speed.

Twice through the bag: first its small messages (camera_info, TF, odometry) and when the images were
taken, then the images and depths themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import Any

from monodepth_ros.data.bags.cameras import BagCameras, UnusableCamera
from monodepth_ros.data.bags.depth import DepthRegistration, nearest_depths, with_depths
from monodepth_ros.data.bags.file import BagFile, BagMessage
from monodepth_ros.data.bags.messages.image import (
    COMPRESSED,
    IMAGE,
    decode_depth,
    decode_image,
    nanoseconds,
    sixteen_bits,
)
from monodepth_ros.data.bags.speed import RobotSpeed, speed_topic
from monodepth_ros.data.bags.times import BagTimes
from monodepth_ros.data.bags.topics import (
    CAMERA_INFO,
    cameras,
    check_image_topics,
    image_topics,
    topic_of_type,
    topics_of,
    unusable,
)
from monodepth_ros.data.bags.transform_tree import Unknown
from monodepth_ros.data.bags.truth import POSES, TF, CameraTruth
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.extraction.extracted_sequence import ExtractedFrame
from monodepth_ros.data.extraction.motion_filter import MotionFilter
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.images.file import DepthImage, RgbImage
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.stamps import MAX_DIFFERENCE, TimedMessage


@dataclass(frozen=True)
class RecordedFrame(ExtractedFrame):
    """``segment`` counts how often the clock has been set before: stamps grow within one."""

    stamp: int
    segment: int = 0


class BagFrames:
    """One bag and one request: the cameras that it has, and the frames of each."""

    def __init__(self, bag: BagFile, request: ExtractionRequest) -> None:
        self.bag, self.request = bag, request
        check_image_topics(bag, request)
        self.images = list(request.images or self._found_cameras())
        poses, kind = request.poses, None
        if poses is not None:
            kind = bag.topics[topic_of_type(bag, poses, (TF, *POSES), "pose")]
        self.truth = CameraTruth(poses, request.frame, request.mounting, kind)
        speed = speed_topic(bag, request.speed, poses)
        self.speed = None if speed is None else RobotSpeed(speed, bag.topics[speed])
        self.times = BagTimes({*self.images, *(t for t in (poses, speed) if t is not None)})
        self.cameras = BagCameras(bag, request)
        self._bits: dict[str, BitDepth] = {}
        self.frame_ids: dict[str, str] = {}
        self._registrations: dict[str, DepthRegistration] = {}
        self._look_around()

    def _found_cameras(self) -> list[str]:
        """All that the bag has; why other topics of images are none of them is told.

        What was asked for as depth is none, whatever its encoding says: mono16 may hold depth.
        """
        topics = [topic for topic in image_topics(self.bag) if topic.name != self.request.depth]
        lines = unusable(topics)
        self.bag.problems += lines
        found = cameras(topics)
        if not found:
            if self.request.depth is not None:
                lines.append(f"{self.request.depth} is named as depth")
            why = "".join(f"; {line}" for line in lines)
            raise UserError(
                f"{self.bag.path}: holds no camera's images; its topics are"
                f" {topics_of(self.bag)}{why}"
            )
        return found

    def _look_around(self) -> None:
        """The first pass: cameras, transforms, poses, speeds, and how many images there are.

        Of odometry only the topic that was named: others may be an estimate of ours.
        """
        kinds = self.bag.topics
        small = {n for n, kind in kinds.items() if kind in (TF, CAMERA_INFO)}
        states = {self.truth.topic, None if self.speed is None else self.speed.topic}
        small |= {topic for topic in (*states, self.request.depth) if topic is not None}
        for message in self.bag.messages({*small, *self.images}):
            topic, kind = message.topic, kinds[message.topic]
            if kind == CAMERA_INFO:
                self.cameras.take(message)
            elif kind == TF:
                self._take_transforms(message)
            else:
                pose = message.content if topic in states else None
                self.times.add(topic, message.header_stamp, message.stamp, pose)
            if kind in (IMAGE, COMPRESSED):
                self.frame_ids.setdefault(topic, message.content.header.frame_id)
            if topic in self.images:
                # One scale for the whole recording, so that it is the same wherever reading begins.
                bits = self._bits.setdefault(topic, BitDepth(topic, self.bag.problems.append))
                if (pixels := sixteen_bits(message.content)) is not None:
                    bits.observe(pixels)
        for stream in self.times.streams:
            self._take_truth(stream)
        self.bag.problems += self.times.notes
        self.bag.problems += self.cameras.notes(self.images)
        if self.request.poses or self.request.depth:
            self.bag.problems += self.truth.tree.notes

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
        for judged in self.times.timed(stream):
            if judged.reason:
                left_out[judged.reason] += 1
            elif stream in self.bag.topics:
                if stream == self.truth.topic:
                    self.truth.take_pose(judged.item, self.bag.topics[stream], judged.key)
                if self.speed is not None and stream == self.speed.topic:
                    self.speed.take(judged.item, judged.key)
            elif judged.item is not None:
                self.truth.take_transform(judged.item, judged.key, False)
        if stream not in self.images:  # those of images are counted with them
            self.bag.problems += [f"{stream}: {n} left out: {why}" for why, n in left_out.items()]

    def camera(self, topic: str, rgb: RgbImage) -> PinholeCamera:
        """That of the topic's first image; UnusableCamera where nothing says what it is."""
        return self.cameras.of(topic, rgb.shape[0], rgb.shape[1])

    def usable_camera(self) -> str:
        """The first camera of which there is an image; the others are told in the problems.

        The only one in any case. UserError where several cameras have none.
        """
        if len(self.images) == 1:
            return self.images[0]
        told = []
        for topic in self.images:
            left_out: Counter[str] = Counter()
            try:
                if any(frame is not None for frame in self.frames(topic, left_out, {})):
                    told += [f"{other}: not replayed" for other in self.images if other > topic]
                    self.bag.problems += told
                    return topic
                told.append(f"{topic}: no image can be used: {dict(left_out)}")
            except UnusableCamera as error:
                told.append(str(error))
        raise UserError("; ".join(told))

    def frames(
        self, topic: str, left_out: Counter[str], coverage: dict[str, Coverage]
    ) -> Iterator[RecordedFrame | None]:
        """Every image message once; None for what is not taken, of which ``left_out`` counts why.

        ``coverage`` gets how many of the frames have what was asked for: depth, poses, speed.
        UnusableCamera with the first image.
        """
        coverage.update(self._asked_for())
        moving = MotionFilter(self.request.motion)
        number = 0
        for image, near in self._with_depth(topic):
            rgb = None
            if image.reason:
                left_out[image.reason] += 1
            elif number % self.request.every:
                left_out["between every n-th image"] += 1
            elif not self.cameras.describes(image.item):
                left_out["of another calibration than most: camera_info has changed"] += 1
            else:
                try:
                    rgb = decode_image(image.item.content, self._bits[topic])
                except UserError as error:
                    left_out[str(error)] += 1
            number += not image.reason
            if rgb is not None and not moving.takes(rgb):
                left_out["without motion"] += 1
                rgb = None
            if rgb is not None:
                camera = self.camera(topic, rgb)
                if (camera.height, camera.width) != rgb.shape[:2]:
                    left_out["images of another size"] += 1
                    rgb = None
            yield None if rgb is None else self._frame(topic, rgb, image, near, coverage)

    def _asked_for(self) -> dict[str, Coverage]:
        asked = {"depth": self.request.depth, "poses": self.truth.topic}
        coverage = {what: Coverage(what, topic) for what, topic in asked.items() if topic}
        if self.speed is not None:
            named = self.request.speed is not None
            coverage["speed"] = Coverage("speed", self.speed.topic, requested=named)
        return coverage

    def _frame(
        self,
        topic: str,
        rgb: RgbImage,
        image: TimedMessage[BagMessage],
        near: BagMessage | Unknown,
        coverage: Mapping[str, Coverage],
    ) -> RecordedFrame:
        known: dict[str, Any] = {}
        if "depth" in coverage:
            known["depth"] = self._depth(topic, rgb, near, image.key)
        if "poses" in coverage:
            known["poses"] = self.truth.pose(self.frame_ids[topic], image.key)
        if self.speed is not None:
            known["speed"] = self.speed.at(image.key)
        for what, value in known.items():
            if isinstance(value, Unknown) and (value.gap or 0) > MAX_DIFFERENCE:
                value = Unknown("no message of this time: the clock was set before or after")
            coverage[what].add(value)
        depth, pose, speed = (
            None if isinstance(value := known.get(what), Unknown) else value
            for what in ("depth", "poses", "speed")
        )
        camera = self.camera(topic, rgb)
        return RecordedFrame(rgb, camera, image.time, depth, pose, speed, segment=image.segment)

    def _depth(
        self, topic: str, rgb: RgbImage, near: BagMessage | Unknown, time: int
    ) -> DepthImage | Unknown:
        if isinstance(near, Unknown):
            return near
        try:
            depth = decode_depth(near.content)
        except UserError as error:
            return Unknown(str(error))
        registration = self._registration(topic, self.camera(topic, rgb))
        return registration(depth, near.content.header.frame_id, time)

    def _registration(self, topic: str, camera: PinholeCamera) -> DepthRegistration:
        if topic not in self._registrations:
            depth = self.request.depth or ""
            infos = self.cameras.infos_of_depth(depth)
            info = None if infos is None else infos.info
            try:
                stated = self.cameras.stated(topic, camera.height, camera.width)
            except UserError:
                stated = None
            self._registrations[topic] = DepthRegistration(
                depth, info, self.truth.tree, self.frame_ids[topic], camera, stated
            )
        return self._registrations[topic]

    def _with_depth(
        self, topic: str
    ) -> Iterator[tuple[TimedMessage[BagMessage], BagMessage | Unknown]]:
        """Every image with the depth nearest in time, if one is near enough."""
        depth = self.request.depth
        if depth is None:
            return ((image, Unknown("not asked for")) for image in self._judged({topic}))
        nearest = nearest_depths(
            self.times.timed(topic), self.times.timed(depth),
            self.times.recorded(topic), self.times.recorded(depth), self.request.tolerance,
        )  # fmt: skip
        return with_depths(self._judged({topic, depth}), topic, nearest)

    def _judged(self, topics: Set[str]) -> Iterator[TimedMessage[BagMessage]]:
        """The messages of some topics, each with what its stream's clock says of it."""
        judged = {topic: iter(self.times.timed(topic)) for topic in topics}
        for message in self.bag.messages(topics):
            known = next(judged[message.topic], None)
            if known is None:
                raise UserError(f"{self.bag.path}: grows while it is read: let its recording end")
            yield replace(known, item=message)
