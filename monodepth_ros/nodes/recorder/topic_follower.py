"""Subscriptions that adapt to the types and the QoS of the topics' publishers."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo

from monodepth_ros.errors import reason_of
from monodepth_ros.nodes.recorder.message_definition import message_class

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_QUEUE_DEPTH = 30  # messages
_LATCHED_DEPTH = 1000  # messages of latched topics: /tf_static has one of each broadcaster
_MAX_COPIES = 1000  # messages of a topic that are compared to find copies
_TYPE_TIMEOUT = 0.5  # seconds without a message after which another type may take over
_TIMEOUT = 2.0  # the same, while publishers of the former type exist
_WITH_INFO = hasattr(Subscription, "CallbackType")  # Humble's callbacks get the message alone

_Offer = tuple[ReliabilityPolicy, DurabilityPolicy]
_Callback = Callable[["FollowedTopic", bytes], None]


@dataclass
class FollowedTopic:
    """A topic: its type, its publishers, and when the last message was received.

    ``types`` are those of all its publishers; ``published``: it has publishers now; ``seen`` are
    the publishers that existed when its type was chosen. ``latest`` is the monotonic time (s) of
    the last message, or of the subscription. ``lost`` counts messages that the middleware lost.
    """

    name: str
    kind: str
    offers: list[TopicEndpointInfo]
    types: list[str]
    seen: frozenset[tuple[int, ...]]
    published: bool = True
    latest: float = field(default_factory=time.monotonic)
    lost: int = 0
    subscriptions: dict[_Offer, Any] = field(default_factory=dict)
    obsolete: set[_Offer] = field(default_factory=set)
    _copies: OrderedDict[tuple[Any, ...], set[int]] = field(default_factory=OrderedDict)

    def is_copy(self, subscription: int, message: bytes, sent: int) -> bool:
        """Whether another subscription to the topic has received this message already."""
        key = (sent, len(message), message[:256], message[-64:])
        had = self._copies.get(key)
        if had is not None and subscription not in had:
            had.add(subscription)
            return True
        self._copies[key] = {subscription}
        if len(self._copies) > _MAX_COPIES:
            self._copies.popitem(last=False)
        return False


class TopicFollower:
    """Subscribes to each topic once for every QoS that its publishers offer.

    One subscription that is compatible with all publishers could not request what only some of them
    offer: reliable delivery and latched messages. A message that two subscriptions receive is
    recorded once.
    """

    def __init__(self, node: Node, names: Sequence[str], callback: _Callback) -> None:
        """``names`` are fully qualified; ``callback`` gets each serialised message."""
        self._node, self._names, self._callback = node, names, callback
        self._polling = False
        self._numbers = iter(range(2**62))
        self.topics: dict[str, FollowedTopic] = {}
        self.refused: dict[str, str] = {}  # why a topic cannot be subscribed to

    def close(self) -> None:
        """Unsubscribe from all topics."""
        for topic in self.topics.values():
            self._destroy_subscriptions(topic, set(topic.subscriptions))
        self.topics = {}

    def poll(self) -> None:
        """Adapt to changes since the last call."""
        if self._polling:
            return
        self._polling = True
        try:
            for name in self._names:
                self._update_topic(name, self._node.get_publishers_info_by_topic(name))
        finally:
            self._polling = False

    def _update_topic(self, name: str, offers: list[TopicEndpointInfo]) -> None:
        topic = self.topics.get(name)
        if topic is not None:
            topic.published = bool(offers)
        if not offers:  # publishers that return may offer the same as before
            self.refused.pop(name, None)
            return
        usable = self._usable(name, offers)
        if not usable:
            return
        kind = _choose_type(topic, usable)
        if topic is None or kind != topic.kind:
            topic = self._change_type(topic, name, kind, offers)
        topic.types = sorted({offer.topic_type for offer in offers})
        offers = [offer for offer in usable if offer.topic_type == kind]
        if offers:
            topic.offers = offers
            self._follow(topic, {_qos_of(offer) for offer in offers})

    def _usable(self, name: str, offers: list[TopicEndpointInfo]) -> list[TopicEndpointInfo]:
        """The publishers whose type is installed here."""
        missing: dict[str, Exception] = {}
        for kind in {offer.topic_type for offer in offers}:
            try:
                message_class(kind)
            except (ImportError, AttributeError, ValueError) as error:
                missing[kind] = error
        usable = [offer for offer in offers if offer.topic_type not in missing]
        if not usable:
            reasons = [f"{kind} is not installed here: {e}" for kind, e in sorted(missing.items())]
            self._refuse(name, f"its type {', '.join(reasons)}")
        return usable

    def _change_type(
        self, topic: FollowedTopic | None, name: str, kind: str, offers: list[TopicEndpointInfo]
    ) -> FollowedTopic:
        if topic is not None:  # one process cannot subscribe to both
            self._destroy_subscriptions(topic, set(topic.subscriptions))
            self._node.get_logger().warning(f"{name}: type changed from {topic.kind} to {kind}")
        seen = frozenset(_identity(offer) for offer in offers)
        self.topics[name] = FollowedTopic(name, kind, offers, [kind], seen)
        return self.topics[name]

    def _follow(self, topic: FollowedTopic, offered: set[_Offer]) -> None:
        # One poll later, so that messages in its queue are received first.
        self._destroy_subscriptions(topic, topic.obsolete - offered)
        topic.obsolete = set(topic.subscriptions) - offered
        for offer in sorted(offered - set(topic.subscriptions)):
            try:
                topic.subscriptions[offer] = self._subscribe(topic, *offer)
            except Exception as error:  # rclpy has no type of its own for it
                self._refuse(topic.name, reason_of(error))
                return
            reliability, durability = (policy.name.lower() for policy in offer)
            self._node.get_logger().info(
                f"recording {topic.name} ({topic.kind}, {reliability}, {durability})"
            )
        self.refused.pop(topic.name, None)

    def _subscribe(
        self, topic: FollowedTopic, reliability: ReliabilityPolicy, durability: DurabilityPolicy
    ) -> Any:
        kept = durability == DurabilityPolicy.TRANSIENT_LOCAL
        number = next(self._numbers)

        def receive(message: bytes, info: Any) -> None:
            topic.latest = time.monotonic()
            if not topic.is_copy(number, message, info.get("source_timestamp", 0)):
                self._callback(topic, message)

        def count_lost(event: Any) -> None:
            # With several subscriptions, another one may have received it.
            if len(topic.subscriptions) == 1:
                topic.lost += event.total_count_change

        def create(**events: Any) -> Any:
            return self._node.create_subscription(
                message_class(topic.kind),
                topic.name,
                receive if _WITH_INFO else lambda message: receive(message, {}),
                QoSProfile(
                    depth=_LATCHED_DEPTH if kept else _QUEUE_DEPTH,
                    reliability=reliability,
                    durability=durability,
                ),
                raw=True,
                # A publisher with an incompatible QoS has appeared: adapt at once.
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=lambda _: self.poll(), **events
                ),
            )

        try:
            return create(message_lost=count_lost)
        except UnsupportedEventTypeError:  # a middleware without this event
            return create()

    def _destroy_subscriptions(self, topic: FollowedTopic, offers: set[_Offer]) -> None:
        for offer in offers:
            self._node.destroy_subscription(topic.subscriptions.pop(offer))

    def _refuse(self, name: str, reason: str) -> None:
        if self.refused.get(name) != reason:
            self.refused[name] = reason
            self._node.get_logger().error(f"{name} cannot be recorded: {reason}")


def _choose_type(topic: FollowedTopic | None, offers: list[TopicEndpointInfo]) -> str:
    """The type to subscribe to: at first that of most publishers.

    Later a new publisher's type takes over as soon as the former type is silent: a publisher that
    was killed stays visible for a while.
    """
    if topic is None:
        counts = Counter(offer.topic_type for offer in offers)
        return min(counts, key=lambda kind: (-counts[kind], kind))
    still_there = any(offer.topic_type == topic.kind for offer in offers)
    others = [o for o in offers if o.topic_type != topic.kind]
    if still_there:
        others = [offer for offer in others if _identity(offer) not in topic.seen]
    quiet = time.monotonic() - topic.latest
    if not others or quiet < (_TIMEOUT if still_there else _TYPE_TIMEOUT):
        return topic.kind
    return others[0].topic_type


def _identity(offer: TopicEndpointInfo) -> tuple[int, ...]:
    return tuple(offer.endpoint_gid)


def _qos_of(offer: TopicEndpointInfo) -> _Offer:
    profile = offer.qos_profile
    reliable = profile.reliability == ReliabilityPolicy.RELIABLE
    kept = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return (
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )
