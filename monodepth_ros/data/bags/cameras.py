"""The cameras of a bag: by a calibration that the user names, by camera_info, or a guess."""

from __future__ import annotations

from monodepth_ros.data.bags.camera_infos import RecordedCameraInfos
from monodepth_ros.data.bags.file import BagFile, BagMessage
from monodepth_ros.data.bags.messages.camera import camera_from_info, is_rectified_topic
from monodepth_ros.data.bags.topics import info_topic
from monodepth_ros.data.cameras.capture_settings import camera_of_field_of_view
from monodepth_ros.data.cameras.intrinsics import warn_of_guess
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera


class UnusableCamera(UserError):
    """One camera of a bag cannot be used; the others may be."""


class BagCameras:
    """Takes all messages of camera_info, then tells; ``guessed`` are topics of guessed cameras."""

    def __init__(self, bag: BagFile, request: ExtractionRequest) -> None:
        self._bag, self._request = bag, request
        self._infos: dict[str, RecordedCameraInfos] = {}
        self._cameras: dict[str, PinholeCamera] = {}
        self.guessed: set[str] = set()

    def take(self, message: BagMessage) -> None:
        """Learn of a camera_info."""
        self._infos.setdefault(message.topic, RecordedCameraInfos()).add(message)

    def notes(self, topics: list[str]) -> list[str]:
        """What is to be known of the calibrations of image ``topics``."""
        used = [self.infos_of(topic) for topic in topics]
        return [
            note
            for name, infos in self._infos.items()
            if any(infos is own for own in used)
            for note in infos.notes(name)
        ]

    def of(self, topic: str, height: int, width: int) -> PinholeCamera:
        """That of the first image of ``topic``, of this size; the same for all that follow.

        UnusableCamera where nothing says what it is.
        """
        if topic not in self._cameras:
            try:
                self._cameras[topic] = self._found(topic, height, width)
            except UserError as error:
                raise UnusableCamera(f"{self._bag.path}: {topic}: {error}") from None
        return self._cameras[topic]

    def stated(self, topic: str, height: int, width: int) -> PinholeCamera | None:
        """What its camera_info says, None where there is none."""
        infos = self.infos_of(topic)
        if infos is None:
            return None
        return camera_from_info(infos.info, height, width, self._rectified(topic))

    def infos_of(self, topic: str) -> RecordedCameraInfos | None:
        """The camera_info of images."""
        name = self._request.camera_info or info_topic(topic, self._bag.topics)
        return None if name is None else self._infos.get(name)

    def infos_of_depth(self, topic: str) -> RecordedCameraInfos | None:
        """The camera_info of depth, which the request does not name."""
        return self._infos.get(info_topic(topic, self._bag.topics) or "")

    def describes(self, image: BagMessage) -> bool:
        """Whether an image is of the calibration that counts."""
        infos = self.infos_of(image.topic)
        return self._request.camera is not None or infos is None or infos.describes(image)

    def _found(self, topic: str, height: int, width: int) -> PinholeCamera:
        named, degrees = self._request.camera, self._request.field_of_view
        if named is not None:
            if named.distorted and self._rectified(topic):
                raise UserError(
                    "--camera has a distortion, which rectified images have not: give the"
                    " calibration of the rectified image, or --not-rectified"
                )
            named.check_size(height, width, "--camera")
            return named
        stated = self.stated(topic, height, width)
        if stated is not None:
            return stated
        if degrees is None:
            raise UserError(
                "there is no camera_info for it: give --camera-info TOPIC, or --camera FILE with"
                " the calibration, or guess with --field-of-view DEGREES"
            )
        self.guessed.add(topic)
        warn_of_guess(f"{self._bag.path.name} {topic}")
        return camera_of_field_of_view(height, width, degrees)

    def _rectified(self, topic: str) -> bool:
        asked = self._request.rectified
        return is_rectified_topic(topic) if asked is None else asked
