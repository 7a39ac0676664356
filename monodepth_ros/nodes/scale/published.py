"""The scale between nodes: published by the one that estimates it, followed by the others."""

from __future__ import annotations

import math

import numpy as np
from rclpy.node import Node
from std_msgs.msg import Float64, Float64MultiArray, MultiArrayDimension, MultiArrayLayout, String

from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.nodes.camera.speed_topic import describe_publishers
from monodepth_ros.nodes.latched_topic import LATCHED, AnyDurabilitySubscription

_CHANGE = 1e-3  # of the scale, below which nothing is published
# What `scale_fit` holds, in this order.
_VALUES = (
    "factor",
    "shift",
    "variance of log factor",
    "covariance of log factor and shift",
    "variance of shift",
)


def message_of(scale: Scale) -> Float64MultiArray:
    """`scale_fit`: factor, shift and their covariance, named in the layout."""
    (a, b), (_, c) = (np.zeros((2, 2)) if scale.covariance is None else scale.covariance).tolist()
    # The scale holds the covariance of the logarithm of 1 / factor.
    label = ", ".join(_VALUES)
    dimension = MultiArrayDimension(label=label, size=len(_VALUES), stride=len(_VALUES))
    layout = MultiArrayLayout(dim=[dimension])
    return Float64MultiArray(layout=layout, data=[scale.factor, scale.shift, a, -b, c])


def scale_of_message(message: Float64MultiArray) -> Scale | None:
    """The scale of a `scale_fit`; None if it is none."""
    values = np.array(message.data, np.float64)
    if len(values) != len(_VALUES) or not np.isfinite(values).all() or values[0] <= 0:
        return None
    factor, shift, a, b, c = values.tolist()
    return Scale(factor, "metric", shift, covariance=np.array([[a, -b], [-b, c]]))


class ScalePublisher:
    """Publishes ``scale``, ``scale_fit`` and the ``model`` they belong to."""

    def __init__(self, node: Node, model: str, namespace: str) -> None:
        self._node = node
        self._published: Scale | None = None
        self._factor = node.create_publisher(Float64, f"{namespace}scale", LATCHED)
        self._fit = node.create_publisher(Float64MultiArray, f"{namespace}scale_fit", LATCHED)
        self._model = node.create_publisher(String, f"{namespace}scale_model", LATCHED)
        self._model.publish(String(data=model))

    def publish(self, scale: Scale) -> None:
        """Where it has changed by more than a thousandth."""
        last = self._published
        if last is not None:
            change = abs(math.log(scale.factor / last.factor))
            change += abs(scale.shift - last.shift) * scale.factor
            if change <= _CHANGE:
                return
        self._published = scale
        self._fit.publish(message_of(scale))
        self._factor.publish(Float64(data=scale.factor))

    def close(self) -> None:
        """Stop publishing."""
        for publisher in (self._factor, self._fit, self._model):
            self._node.destroy_publisher(publisher)


class FollowedScale:
    """The scale that another node publishes, as long as it belongs to this ``model``.

    A model ``with_shift`` needs `scale_fit`; for others a factor is enough.
    """

    def __init__(self, node: Node, model: str, namespace: str, with_shift: bool) -> None:
        self._node, self._model, self._with_shift = node, model, with_shift
        self._received: float | None = None
        self._fit: Scale | None = None
        self._invalid: float | None = None  # the last message, if it was not a factor
        self._received_model: str | None = None
        self._models = AnyDurabilitySubscription(
            node, String, f"{namespace}scale_model", self._on_model
        )
        self._factors = AnyDurabilitySubscription(
            node, Float64, f"{namespace}scale", self._on_scale
        )
        self._fits = AnyDurabilitySubscription(
            node, Float64MultiArray, f"{namespace}scale_fit", self._on_fit
        )

    def close(self) -> None:
        """Unsubscribe."""
        for topic in (self._models, self._factors, self._fits):
            topic.close()

    @property
    def scale(self) -> Scale | None:
        """What was received; without a model's name it belongs to this model."""
        fits = self._received_model == self._model
        if self._received_model is None:
            fits = self._node.count_publishers(self._models.topic_name) == 0
        if not fits:
            return None
        factor, fit = self._received, self._fit
        if self._with_shift or (fit is not None and fit.factor == factor):
            return fit
        return None if factor is None else Scale(factor, "metric")

    @property
    def missing(self) -> str:
        """Why there is none, in words."""
        topic, kind = self._factors.topic_name, Float64
        if self._received_model not in (None, self._model):
            return (
                f"the factor on {topic} belongs to the model {self._received_model}, not to"
                f" {self._model}: load the same model in both nodes"
            )
        if self._invalid is not None:
            return f"the value {self._invalid} on {topic} is not a scale factor"
        if self._with_shift:
            topic, kind = self._fits.topic_name, Float64MultiArray
        return f"no message on {topic}{describe_publishers(self._node, topic, kind)}"

    def _on_scale(self, message: Float64) -> None:
        if math.isfinite(message.data) and message.data > 0:
            self._received, self._invalid = message.data, None
        else:
            self._invalid = message.data

    def _on_fit(self, message: Float64MultiArray) -> None:
        self._fit = scale_of_message(message) or self._fit

    def _on_model(self, message: String) -> None:
        if message.data != self._received_model:
            if self._received_model is not None:
                self._received = self._fit = None  # they belonged to the former model
            self._received_model = message.data
