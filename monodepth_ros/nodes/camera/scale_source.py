"""The metric scale: from a parameter, a speed, the camera's height or another node."""

from __future__ import annotations

import threading

import numpy as np
from rclpy.node import Node

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.inference.scale.metric import CameraHeightScale, SpeedScale
from monodepth_ros.inference.scale.unit import RELATIVE, Scale
from monodepth_ros.nodes.camera.speed_topic import SpeedTopic
from monodepth_ros.nodes.conversions.rectified_frames import RectifiedFrame
from monodepth_ros.nodes.scale.live import LiveScale, live_scale
from monodepth_ros.nodes.scale.published import FollowedScale, ScalePublisher

# What makes metres of a model that leaves the shift open as well.
_WITH_SHIFT = ("none", "odometry", "points", "topic")


class ScaleSource:
    """The metric scale of one model, for its depth and its odometry.

    A node that estimates it publishes it on ``scale`` and ``scale_fit``, its model on
    ``scale_model``. Each model has its own unit and therefore its own source. So measurements of a
    frame that is finished after a reload stay with its model. So has each ``camera`` of several:
    topics but for those of the robot lie in its namespace. UserError when a parameter of the source
    is missing, and for a source that cannot serve a model ``with_shift``.
    """

    def __init__(
        self,
        node: Node,
        model: str,
        first: bool = True,
        camera: str = "",
        with_shift: bool = False,
    ) -> None:
        """``model`` is name and hash; ``first``: the parameter `scale_factor` belongs to it."""
        self._node, self._first, self._camera = node, first, camera
        of_camera, namespace = (f" of camera {camera}", f"{camera}/") if camera else ("", "")
        self.name: str = node.get_parameter("scale_source").value
        self._speed: SpeedScale | None = None
        self._height: CameraHeightScale | None = None
        self._followed: FollowedScale | None = None
        self._speed_topic: SpeedTopic | None = None
        self._publisher: ScalePublisher | None = None
        self._image_stamp = 0
        self._lock = threading.Lock()  # speeds arrive on the executor, motions on the worker
        if with_shift:
            self._refuse_what_has_no_shift(model)
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
            self._followed = FollowedScale(node, model, namespace, with_shift)
        self._live = live_scale(node, self.name, with_shift, bool(camera))
        if self.needs_motion or self.needs_depth:
            self._publisher = ScalePublisher(node, model, namespace)

    def _refuse_what_has_no_shift(self, model: str) -> None:
        asked = f"scale_source {self.name}"
        if self.name in _WITH_SHIFT:
            if self.name == "none" or self._parameter("scale_factor") <= 0:
                return
            asked = "scale_factor"
        raise UserError(
            f"model {model} gives depth up to scale and shift: {asked} alone makes no metres of it;"
            " use scale_source odometry, points or topic, or calibrate the model (monodepth"
            " calibrate)"
        )

    def close(self) -> None:
        """Unsubscribe and stop publishing."""
        for topic in (self._speed_topic, self._followed, self._live):
            if topic is not None:
                topic.close()
        self._speed_topic = None
        with self._lock:
            if self._publisher is not None:
                self._publisher.close()
            self._publisher = None

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
        """Whether `add_frame` has to be called with the depth of frames."""
        return self._height is not None or self._live is not None

    @property
    def needs_frames(self) -> bool:
        """Whether `add_frame` has to be called with every frame, also without its depth."""
        return self._live is not None

    @property
    def needs_confidence(self) -> bool:
        """Whether that depth should have its confidence."""
        return self._height is not None

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model, 1 without a source; None while it is unknown."""
        scale = self.scale
        return None if scale is None else scale.factor

    @property
    def scale(self) -> Scale | None:
        """Metres of the model's disparity, the model's own without a source; None if unknown."""
        if not self.in_use:
            return RELATIVE
        estimate = self._estimate()
        if estimate is not None:
            return estimate
        begin = self._parameter("scale_factor")
        return Scale(begin, "metric") if begin > 0 and self._first else None

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

    def add_frame(self, frame: RectifiedFrame, prediction: DepthPrediction | None) -> None:
        """A frame, and its depth in the model's unit if the network was asked."""
        if self._height is not None and prediction is not None:
            assert prediction.camera is not None
            with self._lock:
                self._height.add_depth(prediction.depth, prediction.camera, prediction.confidence)
            self._publish()
        if self._live is not None:
            self._live.add_frame(frame, prediction)
            self._publish()

    def facts(self, card_scale: str) -> dict[str, str]:
        """Values in diagnostics about the scale; ``card_scale`` is that of the model card."""
        if not self.in_use:
            return {"scale": card_scale, "scale source": "none", "scale factor": "1"}
        scale = self.scale
        facts = {"scale": "unknown", "scale source": self.name, "scale factor": "not known yet"}
        if scale is not None:
            facts |= {"scale": "metric", "scale factor": f"{scale.factor:.4g}"}
            if scale.shift:
                facts["scale shift (1/m)"] = f"{scale.shift:.4g}"
            if scale.covariance is not None:
                deviation = np.sqrt(np.diag(scale.covariance))
                facts["scale deviation (%)"] = f"{100 * deviation[0]:.1f}"
                if scale.shift:
                    facts["scale shift deviation (1/m)"] = f"{deviation[1]:.2g}"
        if self._live is not None:
            facts["scale measurements refused"] = str(self._live.refused)
            facts["scale measurement"] = self._live.missing or "good"
        return facts

    def _missing_input(self) -> str:
        """Which input is missing for a factor."""
        if self.name == "fixed":
            return "scale_factor is 0"
        speeds, source = self._speed_topic, self._source
        with self._lock:
            problem = "" if speeds is None else speeds.problem(self._image_stamp)
            return problem or ("" if source is None else source.missing)

    @property
    def _source(self) -> SpeedScale | CameraHeightScale | FollowedScale | LiveScale | None:
        return self._speed or self._height or self._followed or self._live

    def _estimate(self) -> Scale | None:
        source = self._source
        with self._lock:
            return None if source is None else source.scale

    def _publish(self) -> None:
        scale = self._estimate()
        with self._lock:
            if scale is not None and self._publisher is not None:
                self._publisher.publish(scale)

    def _add_speed(self, stamp: int, speed: float) -> None:
        with self._lock:
            if self._speed is not None:
                self._speed.add_speed(stamp, speed)
