"""The metric scale: from a parameter, a speed, the camera's height or another node."""

from __future__ import annotations

import math
import threading
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Float64, String

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.inference.scale.metric import CameraHeightScale, SpeedScale
from monodepth_ros.nodes.camera.speed_topic import SPEED_TYPES, SpeedTopic, describe_publishers
from monodepth_ros.nodes.latched_topic import LATCHED, AnyDurabilitySubscription
from monodepth_ros.nodes.parameters import ParameterSpec

SCALE_PARAMETERS = (
    ParameterSpec(
        "scale_source",
        "none",
        "source of the metric scale: none (results are in the model's unit), fixed"
        " (`scale_factor`), speed (topic `speed`), camera_height (height above the ground), topic"
        " (topic `scale` of another node)",
        choices=("none", "fixed", "speed", "camera_height", "topic"),
    ),
    ParameterSpec(
        "scale_factor",
        0.0,
        "metres per unit of the model, for `scale_source: fixed`; other sources start from it"
        " until they have an estimate or another model is loaded; 0: unknown",
        read_only=False,
        bounds=(0.0, 1e6),
    ),
    ParameterSpec(
        "speed_type",
        "Odometry",
        "message type of the topic `speed`, for `scale_source: speed`",
        choices=tuple(SPEED_TYPES),
    ),
    ParameterSpec(
        "camera_height",
        0.0,
        "height of the camera above the ground in metres, for `scale_source: camera_height`",
        bounds=(0.0, 100.0),
    ),
)


class ScaleSource:
    """The scale factor of one model, for its depth and its odometry.

    A node that estimates the factor publishes it on ``scale``, and its model on ``scale_model``.
    Each model has its own unit and therefore its own source. So measurements of a frame that is
    finished after a reload stay with its model. So has each ``camera`` of several: topics but for
    the robot's speed lie in its namespace. UserError when a parameter of the source is missing.
    """

    def __init__(self, node: Node, model: str, first: bool = True, camera: str = "") -> None:
        """``model`` is name and hash; ``first``: the parameter `scale_factor` belongs to it."""
        self._node, self._first, self._camera = node, first, camera
        of_camera, namespace = (f" of camera {camera}", f"{camera}/") if camera else ("", "")
        self.name: str = node.get_parameter("scale_source").value
        self._speed: SpeedScale | None = None
        self._height: CameraHeightScale | None = None
        self._followed: _FollowedScale | None = None
        self._speed_topic: SpeedTopic | None = None
        self._publishers: list[Any] = []  # of `scale` and `scale_model`
        self._published: float | None = None
        self._image_stamp = 0
        self._lock = threading.Lock()  # speeds arrive on the executor, motions on the worker
        if self.name == "fixed" and self._parameter("scale_factor") <= 0:
            raise UserError(f"scale_source fixed needs a scale_factor above 0{of_camera}")
        if self.name == "camera_height":
            height = self._parameter("camera_height")
            if height <= 0:
                raise UserError(
                    f"scale_source camera_height needs a camera_height above 0{of_camera}"
                )
            self._height = CameraHeightScale(height)
        if self.name == "speed":
            self._speed = SpeedScale()
            kind = node.get_parameter("speed_type").value
            self._speed_topic = SpeedTopic(node, kind, self._add_speed)
        if self.name == "topic":
            self._followed = _FollowedScale(node, model, namespace)
        if self.needs_motion or self.needs_depth:
            self._publishers = [
                node.create_publisher(kind, f"{namespace}{topic}", LATCHED)
                for topic, kind in {"scale": Float64, "scale_model": String}.items()
            ]
            self._publishers[1].publish(String(data=model))

    def close(self) -> None:
        """Unsubscribe and stop publishing."""
        for topic in (self._speed_topic, self._followed):
            if topic is not None:
                topic.close()
        self._speed_topic = None
        with self._lock:
            for publisher in self._publishers:
                self._node.destroy_publisher(publisher)
            self._publishers = []

    @property
    def unavailable_reason(self) -> str:
        """Why the scale is unknown; empty where it is known or not asked for."""
        if self.factor is not None:
            return ""
        return f"the scale is not known yet ({self.name}): {self._missing_input()}"

    @property
    def in_use(self) -> bool:
        """Whether metres come from this source, not from the model."""
        return self.name != "none"

    @property
    def needs_motion(self) -> bool:
        """Whether `add_motion` has to be called."""
        return self._speed is not None

    @property
    def needs_depth(self) -> bool:
        """Whether `add_depth` has to be called."""
        return self._height is not None

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model, 1 without a source; None while it is unknown."""
        if not self.in_use:
            return 1.0
        estimate = self._estimate()
        if estimate is not None:
            return estimate
        begin = self._parameter("scale_factor")
        return begin if begin > 0 and self._first else None

    def _parameter(self, name: str) -> float:
        """The parameter of this camera if it is set, else that of all cameras."""
        own = self._node.get_parameter(f"{self._camera}.{name}").value if self._camera else 0.0
        return float(own or self._node.get_parameter(name).value)

    def set_image_stamp(self, stamp: int) -> None:
        """Set the newest image's stamp in nanoseconds, to compare the stamps of speeds with."""
        self._image_stamp = stamp

    def add_motion(self, start: int, end: int, distance: float) -> None:
        """A camera motion in the model's unit between two times in nanoseconds."""
        if self._speed is not None:
            with self._lock:
                self._speed.add_motion(start, end, distance)
            self._publish()

    def add_depth(self, prediction: DepthPrediction) -> None:
        """Depth in the model's unit, of a frame whose camera is known."""
        if self._height is not None:
            assert prediction.camera is not None
            with self._lock:
                self._height.add_depth(prediction.depth, prediction.camera, prediction.confidence)
            self._publish()

    def facts(self, card_scale: str) -> dict[str, str]:
        """Values in diagnostics about the scale; ``card_scale`` is that of the model card."""
        factor = self.factor
        if not self.in_use:
            return {"scale": card_scale, "scale source": "none", "scale factor": "1"}
        known = "not known yet" if factor is None else f"{factor:.4g}"
        label = "unknown" if factor is None else "metric"
        return {"scale": label, "scale source": self.name, "scale factor": known}

    def _missing_input(self) -> str:
        """Which input is missing for a factor."""
        if self.name == "fixed":
            return "scale_factor is 0"
        speeds, source = self._speed_topic, self._source
        with self._lock:
            problem = "" if speeds is None else speeds.problem(self._image_stamp)
            return problem or ("" if source is None else source.missing)

    @property
    def _source(self) -> SpeedScale | CameraHeightScale | _FollowedScale | None:
        return self._speed or self._height or self._followed

    def _estimate(self) -> float | None:
        source = self._source
        with self._lock:
            return None if source is None else source.factor

    def _publish(self) -> None:
        """Publish the factor when it has changed by more than a thousandth."""
        factor = self._estimate()
        with self._lock:
            if factor is None or not self._publishers:
                return
            if self._published is None or abs(math.log(factor / self._published)) > 1e-3:
                self._published = factor
                self._publishers[0].publish(Float64(data=factor))

    def _add_speed(self, stamp: int, speed: float) -> None:
        with self._lock:
            if self._speed is not None:
                self._speed.add_speed(stamp, speed)


class _FollowedScale:
    """The factor that another node publishes, as long as it belongs to this ``model``."""

    def __init__(self, node: Node, model: str, namespace: str) -> None:
        self._node, self._model = node, model
        self._received: float | None = None
        self._invalid: float | None = None  # the last message, if it was not a factor
        self._received_model: str | None = None
        self._models = AnyDurabilitySubscription(
            node, String, f"{namespace}scale_model", self._on_model
        )
        self._factors = AnyDurabilitySubscription(
            node, Float64, f"{namespace}scale", self._on_scale
        )

    def close(self) -> None:
        self._models.close()
        self._factors.close()

    @property
    def factor(self) -> float | None:
        """What was received; without a model's name it belongs to this model."""
        fits = self._received_model == self._model
        if self._received_model is None:
            fits = self._node.count_publishers(self._models.topic_name) == 0
        return self._received if fits else None

    @property
    def missing(self) -> str:
        topic = self._factors.topic_name
        if self._received_model not in (None, self._model):
            return (
                f"the factor on {topic} belongs to the model {self._received_model}, not to"
                f" {self._model}: load the same model in both nodes"
            )
        if self._invalid is not None:
            return f"the value {self._invalid} on {topic} is not a scale factor"
        return f"no message on {topic}{describe_publishers(self._node, topic, Float64)}"

    def _on_scale(self, message: Float64) -> None:
        if math.isfinite(message.data) and message.data > 0:
            self._received, self._invalid = message.data, None
        else:
            self._invalid = message.data

    def _on_model(self, message: String) -> None:
        if message.data != self._received_model:
            if self._received_model is not None:
                self._received = None  # it belonged to the former model
            self._received_model = message.data
