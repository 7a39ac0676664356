"""`recorder_node`: records topics to bags."""

from __future__ import annotations

import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from monodepth_ros.data.bags.messages.image import COMPRESSED, IMAGE
from monodepth_ros.data.bags.recording.images import ImageRecoding, StandstillFilter
from monodepth_ros.data.bags.recording.marked_bags import unmarked_bags
from monodepth_ros.data.bags.recording.metrics import RecorderMetrics
from monodepth_ros.data.bags.recording.recorder import BagRecorder, Recorded, RecorderSettings
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.recorder.message_definition import message_definition
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.recorder.topic_follower import FollowedTopic, TopicFollower
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.nodes.steady_clock import STEADY

_POLL_PERIOD = 0.5  # seconds between two queries of the publishers
_TIMEOUT = 2.0  # seconds without an image after which diagnostics warn


class RecorderNode(ReportingNode):
    """Passes serialised messages to the recorder's thread."""

    def __init__(self, **options: Any) -> None:
        self._recorder: BagRecorder | None = None
        self._topics: TopicFollower | None = None
        self._required: list[str] = []
        self._reported_failure = ""
        super().__init__("recorder_node", RECORDER_PARAMETERS, **options)
        self.offer_service("start", self._start)
        self.offer_service("stop", self._stop)
        self.offer_service("snapshot", self._snapshot)
        self.create_timer(_POLL_PERIOD, self._poll_topics, clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the recorder's thread; fails with the reason if a parameter is invalid."""
        self._required = self._full_names("topics")
        names = list(dict.fromkeys(self._required + self._full_names("optional_topics")))
        if not names:
            raise UserError("parameter topics: nothing to record")
        if Path(self.value("prefix")).name != self.value("prefix"):
            raise UserError(f"parameter prefix: {self.value('prefix')!r} is not a file's name")
        self._topics = TopicFollower(self, names, self._record)
        options: dict[str, Any] = {}
        if self.value("standstill_threshold_px") > 0:
            images = [name for name in names if name.endswith(("image_raw", "compressed"))]
            options["selected"] = StandstillFilter(
                (images or names)[0], self.value("standstill_threshold_px")
            )
        if self.value("image_format") != "raw":
            options["stored"] = ImageRecoding(
                self.value("image_format"), self.value("jpeg_quality")
            )
        self._recorder = BagRecorder(self._settings(), message_definition, **options)
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe, and start recording with `record_on_activation`."""
        assert self._recorder is not None and self._topics is not None
        self._warn_about_unmarked_bags()
        if self.value("record_on_activation"):
            self._recorder.start()
        if not self._clock_not_started:
            self._topics.poll()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the bag."""
        self._unsubscribe()
        if self._recorder is not None:
            try:
                self._recorder.stop()
            except UserError as error:
                self.get_logger().error(str(error))
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the bag and the thread."""
        self._unsubscribe()
        if self._recorder is not None:
            self._recorder.close()
            self._recorder = None
        return SUCCESS

    def destroy_node(self) -> None:
        """End the bag before the process ends."""
        self._unsubscribe()
        if self._recorder is not None:
            self._recorder.close()
        super().destroy_node()

    def _settings(self) -> RecorderSettings:
        names = {field.name for field in fields(RecorderSettings)} - {"folder", "recorder"}
        return RecorderSettings(
            folder=Path(self.value("folder")).expanduser(),
            recorder=self.get_fully_qualified_name(),
            **{name: self.value(name) for name in names},
        )

    def _full_names(self, parameter: str) -> list[str]:
        """The fully qualified, remapped topics of a parameter."""
        names = []
        for name in self.value(parameter):
            try:
                names.append(self.resolve_topic_name(name))
            except Exception as error:  # rclpy has no type of its own for it
                reason = str(error).partition(", at ")[0].rpartition("name: ")[2]
                raise UserError(
                    f"parameter {parameter}: {name!r} is not the name of a topic: {reason}"
                ) from None
        return names

    def _warn_about_unmarked_bags(self) -> None:
        folder, prefix = Path(self.value("folder")).expanduser(), self.value("prefix")
        unmarked = unmarked_bags(folder, prefix) if self.value("disk_budget_mb") > 0 else []
        if unmarked:
            self.get_logger().warning(
                f"{folder}: {len(unmarked)} bags with the name {prefix}_* have no recorder's mark"
                f" (for example {unmarked[0].name}): they do not count for the disk budget and are"
                " never removed"
            )

    def _unsubscribe(self) -> None:
        if self._topics is not None:
            self._topics.close()

    @property
    def _clock_not_started(self) -> bool:
        """Whether simulated time is used and has not started: messages would be stamped zero."""
        return self.get_clock().now().nanoseconds == 0

    def _poll_topics(self) -> None:
        if self.is_active and self._topics is not None and not self._clock_not_started:
            self._topics.poll()

    def _record(self, topic: FollowedTopic, data: bytes) -> None:
        if self.is_active and self._recorder is not None:
            stamp = self.get_clock().now().nanoseconds
            qos = [_recorded_qos(offer) for offer in topic.offers]
            self._recorder.offer(Recorded(topic.name, topic.kind, stamp, data, qos))

    def _start(self) -> str:
        if self._active_recorder().start(check_space=True):
            return "recording"
        return "already recording; ~/stop ends the bag"

    def _stop(self) -> str:
        recorder = self._active_recorder()
        bags, reason = recorder.stop(), recorder.metrics().stop_reason
        stopped = f"; it had stopped by itself: {reason}" if reason else ""
        if not bags:
            return f"nothing was being recorded{stopped}"
        return f"recorded {', '.join(map(str, bags))}{stopped}"

    def _snapshot(self) -> str:
        return f"recorded {self._active_recorder().snapshot()}"

    def _active_recorder(self) -> BagRecorder:
        if self._recorder is None or not self.is_active:
            raise UserError("the node is not active")
        return self._recorder

    def status(self) -> Status:
        """Whether it records, and what was lost or refused."""
        metrics = None if self._recorder is None else self._recorder.metrics()
        if metrics is not None and metrics.stop_reason != self._reported_failure:
            self._reported_failure = metrics.stop_reason
            if metrics.stop_reason:
                self.get_logger().error(f"recording has stopped: {metrics.stop_reason}")
        level, message = self._verdict(metrics)
        return level, message, self._facts(metrics)

    def _verdict(self, metrics: RecorderMetrics | None) -> tuple[bytes, str]:
        if metrics is None or not self.is_active:
            return DiagnosticStatus.OK, "not active"
        errors, warnings = self._problems(metrics)
        if errors:
            return DiagnosticStatus.ERROR, "; ".join(errors)
        if warnings:
            return DiagnosticStatus.WARN, "; ".join(warnings)
        return DiagnosticStatus.OK, "recording" if metrics.recording else "not recording"

    def _problems(self, metrics: RecorderMetrics) -> tuple[list[str], list[str]]:
        """Errors and warnings."""
        assert self._topics is not None
        topics, now = self._topics.topics, time.monotonic()
        errors: list[str] = []
        warnings: list[str] = []
        if metrics.stop_reason:
            errors.append(f"recording has stopped: {metrics.stop_reason}")
        if metrics.lost:
            warnings.append(f"{metrics.lost} messages lost: the disk is too slow")
        for name, failed in metrics.failures.items():
            (errors if failed.ongoing else warnings).append(
                f"{name}: {failed.messages} messages could not be stored: {failed.reason}"
            )
        for name, kept in metrics.stored_unchanged.items():
            warnings.append(f"{name}: {kept.messages} images are stored unchanged: {kept.reason}")
        missing = [n for n in self._required if n not in topics or not topics[n].published]
        if missing:
            warnings.append(f"nobody publishes {', '.join(missing)}")
        for name, why in self._topics.refused.items():
            (errors if name in self._required else warnings).append(
                f"{name} cannot be recorded: {why}"
            )
        for topic in topics.values():
            if topic.lost:
                warnings.append(
                    f"{topic.name}: {topic.lost} messages lost by the middleware: best-effort"
                    " publishers of large messages need config/fastdds.xml"
                )
            if len(topic.types) > 1:
                types = " and as ".join(topic.types)
                warnings.append(f"{topic.name} is published as {types}; {topic.kind} is recorded")
            silent = now - topic.latest
            if topic.published and topic.kind in (IMAGE, COMPRESSED) and silent > _TIMEOUT:
                warnings.append(f"{topic.name}: no image for {silent:.0f} s")
        if self._clock_not_started:
            warnings = [
                "nothing is recorded: use_sim_time is set and no message on /clock was received"
            ]
        return errors, warnings

    def _facts(self, metrics: RecorderMetrics | None) -> dict[str, str]:
        if metrics is None or self._topics is None:
            return {}
        return {
            "recording": str(metrics.recording).lower(),
            "bag": "none" if metrics.bag is None else str(metrics.bag),
            "messages written": str(metrics.written),
            "messages skipped at standstill": str(metrics.skipped),
            "messages lost": str(metrics.lost),
            "messages lost by the middleware": str(
                sum(t.lost for t in self._topics.topics.values())
            ),
            "messages not stored": str(metrics.failed),
            "images stored unchanged": str(
                sum(f.messages for f in metrics.stored_unchanged.values())
            ),
            "written (MB)": f"{metrics.written_mb:.1f}",
            "waiting for the disk (MB)": f"{metrics.queued_mb:.1f}",
            "topics": ", ".join(sorted(self._topics.topics)) or "none yet",
        }


def _recorded_qos(offer: TopicEndpointInfo) -> Qos:
    """The QoS of a publisher, as bags store it."""
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
