"""Subscriptions to topics whose publishers may be latched (transient local) or volatile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from monodepth_ros.nodes.steady_clock import STEADY

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

LATCHED = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_LIVE = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
# The live subscription receives what the latched one cannot: ROS's warning would be wrong.
_SILENT = SubscriptionEventCallbacks(use_default_callbacks=False)
_POLL_PERIOD = 0.25  # seconds between two queries of the publishers


class AnyDurabilitySubscription:
    """Subscribes to ``topic`` whatever durability its publishers have, now or later.

    A volatile subscription receives no earlier messages. A transient-local one is incompatible
    with volatile publishers, which warn about it. So it only exists while there are latched
    publishers; their messages are then received twice.
    """

    def __init__(self, node: Node, kind: type, topic: str, callback: Callable[[Any], None]) -> None:
        self._node, self._kind, self._callback = node, kind, callback
        self._live = node.create_subscription(
            kind,
            topic,
            callback,
            _LIVE,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.topic_name = self._live.topic_name
        self._latched: Subscription[Any] | None = None
        self._timer = node.create_timer(_POLL_PERIOD, self._adapt, clock=STEADY)

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._live)
        self._drop_latched()

    def _adapt(self) -> None:
        latched = any(
            offer.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
            and offer.qos_profile.reliability == ReliabilityPolicy.RELIABLE
            for offer in self._node.get_publishers_info_by_topic(self.topic_name)
        )
        if latched and self._latched is None:
            self._latched = self._node.create_subscription(
                self._kind,
                self.topic_name,
                self._callback,
                LATCHED,
                event_callbacks=_SILENT,
            )
        elif not latched:
            self._drop_latched()

    def _drop_latched(self) -> None:
        if self._latched is not None:
            self._node.destroy_subscription(self._latched)
        self._latched = None
