"""What the topics of a bag are: by their type, their encoding and how many messages they have.

Never by words in a name: a camera may be called `/depth_camera`, and depth `/points/z`. Only the
ends that image_transport gives its topics count, and `camera_info` beside the images.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.messages.camera import base_topic
from monodepth_ros.data.bags.messages.encoding import COLOUR_ENCODINGS, PLANAR_ENCODINGS
from monodepth_ros.data.bags.messages.image import COMPRESSED, IMAGE, holds_depth, stored_encoding
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@dataclass(frozen=True)
class ImageTopic:
    """A topic of images, raw or compressed, by its first message; ``count`` is how many it has.

    ``role`` is ``unknown`` where no message can be decoded, or its encoding is none of an image.
    """

    name: str
    kind: str
    role: Literal["camera", "depth", "unknown"]
    encoding: str
    count: int


def image_topics(bag: BagFile) -> list[ImageTopic]:
    """All topics of images that a bag has, those without messages among them, by name."""
    names = sorted(name for name, kind in bag.topics.items() if kind in (IMAGE, COMPRESSED))
    counts, first = bag.sample(names)
    colours = (*COLOUR_ENCODINGS, *PLANAR_ENCODINGS)
    found = []
    for name in names:
        message = first.get(name)
        encoding = "" if message is None else stored_encoding(message)
        kind, role = bag.topics[name], "unknown"
        if message is not None and holds_depth(message):
            role = "depth"
        elif message is not None and (kind == COMPRESSED or encoding in colours):
            role = "camera"
        found.append(ImageTopic(name, kind, role, encoding, counts[name]))  # type: ignore[arg-type]
    return found


def cameras(topics: Iterable[ImageTopic]) -> list[str]:
    """The topics of cameras; of raw and compressed images of one the raw, unless many lack."""
    of_base: dict[str, list[ImageTopic]] = {}
    for topic in topics:
        if topic.role == "camera":
            of_base.setdefault(base_topic(topic.name), []).append(topic)
    return sorted(max(same, key=_preference).name for same in of_base.values())


def _preference(topic: ImageTopic) -> float:
    """Raw images lack what JPEG loses; a recorder that could not follow lost a part of them."""
    return topic.count * (1.1 if topic.kind == IMAGE else 1.0)


def unusable(topics: Iterable[ImageTopic]) -> list[str]:
    """Why topics of images are neither a camera nor depth, a line for each."""
    lines = []
    for topic in topics:
        if not topic.count:
            lines.append(f"{topic.name}: has no message")
        elif topic.role == "unknown":
            what = f"encoding {topic.encoding!r} is not known" if topic.encoding else "is damaged"
            lines.append(f"{topic.name}: {what}: left out")
    return lines


def info_topic(image: str, topics: Mapping[str, str]) -> str | None:
    """The camera_info beside an image topic, as image_transport names it."""
    beside = f"{base_topic(image).rpartition('/')[0]}/camera_info"
    return beside if topics.get(beside) == CAMERA_INFO else None


def check_image_topics(bag: BagFile, request: ExtractionRequest) -> None:
    """Raise a UserError where a topic that was named is not in the bag, or none of its kind."""
    for images in request.images or ():
        topic_of_type(bag, images, (IMAGE, COMPRESSED), "image")
    if request.camera_info is not None:
        topic_of_type(bag, request.camera_info, (CAMERA_INFO,), "camera")
    if request.depth is not None:
        topic_of_type(bag, request.depth, (IMAGE, COMPRESSED), "depth")
        if request.depth in (request.images or ()):
            raise UserError(f"{bag.path}: {request.depth}: is named for both images and depth")


def topic_of_type(bag: BagFile, wanted: str, kinds: Collection[str], what: str) -> str:
    """``wanted``; UserError where the bag lacks it, or its type is none of ``kinds``."""
    kind = bag.topics.get(wanted)
    if kind is None:
        raise UserError(f"{bag.path}: no topic {wanted!r}; its topics are {topics_of(bag)}")
    if kind not in kinds:
        raise UserError(
            f"{bag.path}: {wanted} is {kind}, which states no {what}; known are {', '.join(kinds)}"
        )
    return wanted


def topics_of(bag: BagFile) -> str:
    """The topics and their types, for people."""
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(bag.topics.items())) or "none"
