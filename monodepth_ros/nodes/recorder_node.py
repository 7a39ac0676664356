"""Records topics to bags as they are: what a robot sees, to learn from later."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from monodepth_ros.data.bag_recorder import (
    BagRecorder,
    Recorded,
    RecorderFigures,
    RecorderSettings,
)
from monodepth_ros.data.recorded_images import ImageRecoding, StandstillFilter
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.message_definition import message_class, message_definition
from monodepth_ros.nodes.recorder_parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.nodes.spinning import run_node
from monodepth_ros.nodes.steady_clock import STEADY

_LOOK_AGAIN = 0.5  # seconds between two looks for topics that nobody has published yet
_DEPTH = 30  # messages that may wait for the executor


@dataclass
class _Topic:
    """A topic that is recorded, once its type is known."""

    kind: str
    subscription: Any
    qos: list[Qos]


class RecorderNode(ReportingNode):
    """Hands serialised messages to the recorder's thread, without a look inside."""

    def __init__(self, **options: Any) -> None:
        self._recorder: BagRecorder | None = None
        self._standstill: StandstillFilter | None = None
        self._topics: dict[str, _Topic] = {}
        self._refused: dict[str, str] = {}
        self._told = ""
        self._active = False
        super().__init__("recorder_node", RECORDER_PARAMETERS, **options)
        self.answers("start", self._start)
        self.answers("stop", self._stop)
        self.answers("snapshot", self._snapshot)
        self.create_timer(_LOOK_AGAIN, self._look_for_topics, clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the recorder's thread."""
        names = list(dict.fromkeys(self.resolve_topic_name(name) for name in self.value("topics")))
        if not names:
            return self.cannot("parameter topics: nothing to record")
        self._standstill = None
        if self.value("standstill") > 0:
            images = [name for name in names if name.endswith(("image_raw", "compressed"))]
            self._standstill = StandstillFilter((images or names)[0], self.value("standstill"))
        kind = self.value("images")
        self._recorder = BagRecorder(
            self._settings(),
            message_definition,
            self._standstill or (lambda _: True),
            (lambda message: message)
            if kind == "raw"
            else ImageRecoding(kind, self.value("jpeg_quality")),
        )
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen, and record if that is wanted from the beginning."""
        assert self._recorder is not None
        if self.value("record"):
            try:
                self._recorder.start()
            except UserError as error:
                return self.cannot(str(error))
        self._active = True
        self._look_for_topics()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the bag."""
        self._fall_silent()
        if self._recorder is not None:
            self._recorder.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the bag and the thread."""
        self._fall_silent()
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None
        return SUCCESS

    def destroy_node(self) -> None:
        """End the bag before the process ends."""
        self._fall_silent()
        if self._recorder is not None:
            self._recorder.close()
        super().destroy_node()

    def _settings(self) -> RecorderSettings:
        numbers = (
            "chunk_seconds", "split_seconds", "split_megabytes", "budget_megabytes",
            "spare_megabytes", "snapshot_seconds", "snapshot_megabytes", "queue_megabytes",
        )  # fmt: skip
        return RecorderSettings(
            Path(self.value("folder")).expanduser(),
            self.value("prefix"),
            remove_oldest=self.value("remove_oldest"),
            **{name: self.value(name) for name in numbers},
        )

    def _fall_silent(self) -> None:
        self._active = False
        for topic in self._topics.values():
            self.destroy_subscription(topic.subscription)
        self._topics = {}

    def _look_for_topics(self) -> None:
        """Subscribe to what has a publisher by now, as its publishers offer it."""
        if not self._active:
            return
        for wanted in self.value("topics"):
            name = self.resolve_topic_name(wanted)
            if name in self._topics:
                continue
            offers = self.get_publishers_info_by_topic(name)
            kinds = {offer.topic_type for offer in offers}
            if len(kinds) > 1:
                self._refuse(name, f"has several types: {', '.join(sorted(kinds))}")
            elif kinds:
                self._subscribe(name, kinds.pop(), offers)

    def _subscribe(self, name: str, kind: str, offers: list[TopicEndpointInfo]) -> None:
        try:
            message = message_class(kind)
        except (ImportError, AttributeError, ValueError) as error:
            self._refuse(name, f"its type {kind} is not installed here: {error}")
            return
        self._refused.pop(name, None)
        reliable = all(o.qos_profile.reliability == ReliabilityPolicy.RELIABLE for o in offers)
        latched = all(o.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for o in offers)
        profile = QoSProfile(
            depth=_DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )
        take = partial(self._take, name)
        subscription = self.create_subscription(message, name, take, profile, raw=True)
        self._topics[name] = _Topic(kind, subscription, [_recorded_qos(offer) for offer in offers])
        self.get_logger().info(f"records {name} ({kind})")

    def _refuse(self, name: str, reason: str) -> None:
        if self._refused.get(name) != reason:
            self._refused[name] = reason
            self.get_logger().error(f"{name} cannot be recorded: {reason}")

    def _take(self, name: str, data: bytes) -> None:
        topic = self._topics.get(name)
        if topic is not None and self._recorder is not None:
            stamp = self.get_clock().now().nanoseconds
            self._recorder.offer(Recorded(name, topic.kind, stamp, data, topic.qos))

    def _start(self) -> str:
        self._active_recorder().start()
        return "recording"

    def _stop(self) -> str:
        bag = self._active_recorder().stop()
        return "nothing was being recorded" if bag is None else f"recorded {bag}"

    def _snapshot(self) -> str:
        return f"recorded {self._active_recorder().snapshot()}"

    def _active_recorder(self) -> BagRecorder:
        if self._recorder is None or not self._active:
            raise UserError("the node is not active")
        return self._recorder

    def status(self) -> Status:
        """What is recorded, lost and refused."""
        figures = None if self._recorder is None else self._recorder.figures()
        if figures is not None and figures.trouble != self._told:
            self._told = figures.trouble
            if figures.trouble:
                self.get_logger().error(f"recording has stopped: {figures.trouble}")
        level, message = self._verdict(figures)
        return level, message, self._facts(figures)

    def _verdict(self, figures: RecorderFigures | None) -> tuple[bytes, str]:
        if figures is None or not self._active:
            return DiagnosticStatus.OK, "not active"
        if figures.trouble:
            return DiagnosticStatus.ERROR, f"recording has stopped: {figures.trouble}"
        refused = {**self._refused, **figures.refused}
        if refused:
            name, reason = next(iter(refused.items()))
            return DiagnosticStatus.ERROR, f"{name} cannot be recorded: {reason}"
        if figures.lost:
            return DiagnosticStatus.WARN, f"{figures.lost} messages lost: the disk is too slow"
        names = [self.resolve_topic_name(topic) for topic in self.value("topics")]
        missing = [name for name in names if name not in self._topics]
        if missing:
            return DiagnosticStatus.WARN, f"nobody publishes {', '.join(missing)}"
        return DiagnosticStatus.OK, "recording" if figures.recording else "not recording"

    def _facts(self, figures: RecorderFigures | None) -> dict[str, str]:
        if figures is None:
            return {}
        return {
            "recording": str(figures.recording).lower(),
            "bag": "none" if figures.bag is None else str(figures.bag),
            "messages written": str(figures.written),
            "messages left out at standstill": str(figures.left_out),
            "messages lost": str(figures.lost),
            "written (MB)": f"{figures.megabytes:.1f}",
            "waiting for the disk (MB)": f"{figures.waiting_megabytes:.1f}",
            "topics": ", ".join(sorted(self._topics)) or "none yet",
        }


def _recorded_qos(offer: TopicEndpointInfo) -> Qos:
    """What a publisher offers, as bags note it."""
    profile = offer.qos_profile
    return Qos(
        QosHistory(int(profile.history)) if int(profile.history) in (1, 2) else QosHistory.UNKNOWN,
        int(profile.depth),
        QosReliability(int(profile.reliability)),
        QosDurability(int(profile.durability)),
        _seconds(profile.deadline),
        _seconds(profile.lifespan),
        QosLiveliness(int(profile.liveliness)),
        _seconds(profile.liveliness_lease_duration),
        bool(profile.avoid_ros_namespace_conventions),
    )


def _seconds(duration: Any) -> QosTime:
    seconds, nanoseconds = divmod(duration.nanoseconds, 1_000_000_000)
    return QosTime(int(seconds), int(nanoseconds))


def main() -> None:
    """Entry point of the ``recorder_node`` executable."""
    sys.exit(run_node(RecorderNode))
