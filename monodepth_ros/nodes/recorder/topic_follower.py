"""Subscriptions to topics as their publishers offer them, which follow when publishers change."""

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

_WAITING = 30  # messages that may wait for the executor
_WAITING_KEPT = 1000  # of publishers that keep messages: /tf_static has one of each broadcaster
_REMEMBERED = 1000  # messages of a topic among which another subscription's copy is looked for
_QUIET = 0.5  # seconds without a message, after which a publisher of another type may take over
_SILENT = 2.0  # the same, where publishers of the old type are still there
_WITH_INFO = hasattr(Subscription, "CallbackType")  # Humble's callbacks get the message alone

_Offer = tuple[ReliabilityPolicy, DurabilityPolicy]
_Take = Callable[["FollowedTopic", bytes], None]


@dataclass
class FollowedTopic:
    """A topic with its type, what its publishers offer, and when a message came last.

    ``types`` are those of all its publishers, ``published`` tells whether it has any now, ``seen``
    are those that were there when its type was settled. Times are of a steady clock, in seconds.
    ``lost`` counts messages that the middleware lost on their way.
    """

    name: str
    kind: str
    offers: list[TopicEndpointInfo]
    types: list[str]
    seen: frozenset[tuple[int, ...]]
    published: bool = True
    latest: float = field(default_factory=time.monotonic)  # or since when it has been listened to
    lost: int = 0
    subscriptions: dict[_Offer, Any] = field(default_factory=dict)
    unused: set[_Offer] = field(default_factory=set)
    _copies: OrderedDict[tuple[Any, ...], set[int]] = field(default_factory=OrderedDict)

    def is_copy(self, subscription: int, message: bytes, sent: int) -> bool:
        """Whether another subscription to the topic had this message already."""
        key = (sent, len(message), message[:256], message[-64:])
        had = self._copies.get(key)
        if had is not None and subscription not in had:
            had.add(subscription)
            return True
        self._copies[key] = {subscription}
        if len(self._copies) > _REMEMBERED:
            self._copies.popitem(last=False)
        return False


class TopicFollower:
    """Subscribes to each topic once for every QoS that its publishers offer.

    A subscription that hears all publishers cannot ask for what only some of them give: reliable
    delivery, and messages kept for those that come later. A message that comes by two of them is
    taken once.
    """

    def __init__(self, node: Node, names: Sequence[str], take: _Take) -> None:
        """``names`` are full names; ``take`` gets each serialised message."""
        self._node, self._names, self._take = node, names, take
        self._looking = False
        self._numbers = iter(range(2**62))
        self.topics: dict[str, FollowedTopic] = {}
        self.refused: dict[str, str] = {}  # why a topic cannot be subscribed to

    def close(self) -> None:
        """Listen no longer."""
        for topic in self.topics.values():
            self._leave(topic, set(topic.subscriptions))
        self.topics = {}

    def look(self) -> None:
        """Follow what has changed since the last look."""
        if self._looking:
            return
        self._looking = True
        try:
            for name in self._names:
                self._look_at(name, self._node.get_publishers_info_by_topic(name))
        finally:
            self._looking = False

    def _look_at(self, name: str, offers: list[TopicEndpointInfo]) -> None:
        topic = self.topics.get(name)
        if topic is not None:
            topic.published = bool(offers)
        if not offers:  # whoever comes back may well offer the same as before
            self.refused.pop(name, None)
            return
        usable = self._usable(name, offers)
        if not usable:
            return
        kind = _choice(topic, usable)
        if topic is None or kind != topic.kind:
            topic = self._change_type(topic, name, kind, offers)
        topic.types = sorted({offer.topic_type for offer in offers})
        offers = [offer for offer in usable if offer.topic_type == kind]
        if offers:
            topic.offers = offers
            self._follow(topic, {_offered(offer) for offer in offers})

    def _usable(self, name: str, offers: list[TopicEndpointInfo]) -> list[TopicEndpointInfo]:
        """Offers of types that can be subscribed to."""
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
            self._leave(topic, set(topic.subscriptions))
            self._node.get_logger().warning(f"{name}: type changed from {topic.kind} to {kind}")
        seen = frozenset(_identity(offer) for offer in offers)
        self.topics[name] = FollowedTopic(name, kind, offers, [kind], seen)
        return self.topics[name]

    def _follow(self, topic: FollowedTopic, offered: set[_Offer]) -> None:
        # One look later, so that what waits in it is taken first.
        self._leave(topic, topic.unused - offered)
        topic.unused = set(topic.subscriptions) - offered
        for offer in sorted(offered - set(topic.subscriptions)):
            try:
                topic.subscriptions[offer] = self._subscribe(topic, *offer)
            except Exception as error:  # rclpy has no type of its own for it
                self._refuse(topic.name, reason_of(error))
                return
            reliability, durability = (policy.name.lower() for policy in offer)
            self._node.get_logger().info(
                f"records {topic.name} ({topic.kind}, {reliability}, {durability})"
            )
        self.refused.pop(topic.name, None)

    def _subscribe(
        self, topic: FollowedTopic, reliability: ReliabilityPolicy, durability: DurabilityPolicy
    ) -> Any:
        kept = durability == DurabilityPolicy.TRANSIENT_LOCAL
        number = next(self._numbers)

        def take(message: bytes, info: Any) -> None:
            topic.latest = time.monotonic()
            if not topic.is_copy(number, message, info.get("source_timestamp", 0)):
                self._take(topic, message)

        def lose(event: Any) -> None:
            # Of several subscriptions another one may well have had it.
            if len(topic.subscriptions) == 1:
                topic.lost += event.total_count_change

        def create(**events: Any) -> Any:
            return self._node.create_subscription(
                message_class(topic.kind),
                topic.name,
                take if _WITH_INFO else lambda message: take(message, {}),
                QoSProfile(
                    depth=_WAITING_KEPT if kept else _WAITING,
                    reliability=reliability,
                    durability=durability,
                ),
                raw=True,
                # A publisher has come whose offer this one does not accept: no time to lose.
                event_callbacks=SubscriptionEventCallbacks(
                    incompatible_qos=lambda _: self.look(), **events
                ),
            )

        try:
            return create(message_lost=lose)
        except UnsupportedEventTypeError:  # a middleware that does not tell
            return create()

    def _leave(self, topic: FollowedTopic, offers: set[_Offer]) -> None:
        for offer in offers:
            self._node.destroy_subscription(topic.subscriptions.pop(offer))

    def _refuse(self, name: str, reason: str) -> None:
        if self.refused.get(name) != reason:
            self.refused[name] = reason
            self._node.get_logger().error(f"{name} cannot be recorded: {reason}")


def _choice(topic: FollowedTopic | None, offers: list[TopicEndpointInfo]) -> str:
    """Which of the types of its publishers a topic is listened to as: that of most, at first.

    Later one that newly came takes over, as soon as the old one says nothing any more: a publisher
    that was killed stays in sight for a while.
    """
    if topic is None:
        counts = Counter(offer.topic_type for offer in offers)
        return min(counts, key=lambda kind: (-counts[kind], kind))
    still_there = any(offer.topic_type == topic.kind for offer in offers)
    others = [o for o in offers if o.topic_type != topic.kind]
    if still_there:
        others = [offer for offer in others if _identity(offer) not in topic.seen]
    quiet = time.monotonic() - topic.latest
    if not others or quiet < (_SILENT if still_there else _QUIET):
        return topic.kind
    return others[0].topic_type


def _identity(offer: TopicEndpointInfo) -> tuple[int, ...]:
    return tuple(offer.endpoint_gid)


def _offered(offer: TopicEndpointInfo) -> _Offer:
    profile = offer.qos_profile
    reliable = profile.reliability == ReliabilityPolicy.RELIABLE
    kept = profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return (
        ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )
