"""Records topics to bags as they are: what a robot sees, to learn from later."""

from __future__ import annotations

import sys
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
from monodepth_ros.data.bags.recording.metrics import RecorderFigures
from monodepth_ros.data.bags.recording.recorder import (
    BagRecorder,
    Recorded,
    RecorderSettings,
)
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.recorder.message_definition import message_definition
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.recorder.topic_follower import FollowedTopic, TopicFollower
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.nodes.spinning import run_node
from monodepth_ros.nodes.steady_clock import STEADY

_LOOK_AGAIN = 0.5  # seconds between two looks at who publishes what
_SILENT = 2.0  # seconds without an image, after which a camera that is there counts as silent


class RecorderNode(ReportingNode):
    """Hands serialised messages to the recorder's thread, without a look inside."""

    def __init__(self, **options: Any) -> None:
        self._recorder: BagRecorder | None = None
        self._standstill: StandstillFilter | None = None
        self._topics: TopicFollower | None = None
        self._required: list[str] = []
        self._told = ""
        super().__init__("recorder_node", RECORDER_PARAMETERS, **options)
        self.answers("start", self._start)
        self.answers("stop", self._stop)
        self.answers("snapshot", self._snapshot)
        self.create_timer(_LOOK_AGAIN, self._look, clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the recorder's thread; fails with the reason where a parameter cannot be used."""
        self._required = self._full_names("topics")
        names = list(dict.fromkeys(self._required + self._full_names("optional_topics")))
        if not names:
            raise UserError("parameter topics: nothing to record")
        if Path(self.value("prefix")).name != self.value("prefix"):
            raise UserError(f"parameter prefix: {self.value('prefix')!r} is not a file's name")
        self._topics = TopicFollower(self, names, self._take)
        self._standstill = None
        if self.value("standstill_threshold_px") > 0:
            images = [name for name in names if name.endswith(("image_raw", "compressed"))]
            self._standstill = StandstillFilter(
                (images or names)[0], self.value("standstill_threshold_px")
            )
        kind = self.value("image_format")
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
        assert self._recorder is not None and self._topics is not None
        self._tell_unmarked_bags()
        if self.value("record_on_activation"):
            self._recorder.start()
        if not self._clock_stands:
            self._topics.look()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the bag."""
        self._fall_silent()
        if self._recorder is not None:
            try:
                self._recorder.stop()
            except UserError as error:
                self.get_logger().error(str(error))
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
        names = {field.name for field in fields(RecorderSettings)} - {"folder", "recorder"}
        return RecorderSettings(
            folder=Path(self.value("folder")).expanduser(),
            recorder=self.get_fully_qualified_name(),
            **{name: self.value(name) for name in names},
        )

    def _full_names(self, parameter: str) -> list[str]:
        """The topics of a parameter, remapped and in their namespace."""
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

    def _tell_unmarked_bags(self) -> None:
        folder, prefix = Path(self.value("folder")).expanduser(), self.value("prefix")
        unmarked = unmarked_bags(folder, prefix) if self.value("disk_budget_mb") > 0 else []
        if unmarked:
            self.get_logger().warning(
                f"{folder}: {len(unmarked)} bags of the name {prefix}_* hold no mark of a recorder"
                f" ({unmarked[0].name} is one): they do not count for the budget and are never"
                " removed"
            )

    def _fall_silent(self) -> None:
        if self._topics is not None:
            self._topics.close()

    @property
    def _clock_stands(self) -> bool:
        """Whether simulated time is wanted and has not begun: messages would be stamped zero."""
        return self.get_clock().now().nanoseconds == 0

    def _look(self) -> None:
        if self.is_active and self._topics is not None and not self._clock_stands:
            self._topics.look()

    def _take(self, topic: FollowedTopic, data: bytes) -> None:
        if self.is_active and self._recorder is not None:
            stamp = self.get_clock().now().nanoseconds
            qos = [_recorded_qos(offer) for offer in topic.offers]
            self._recorder.offer(Recorded(topic.name, topic.kind, stamp, data, qos))

    def _start(self) -> str:
        if self._active_recorder().start(check_room=True):
            return "recording"
        return "recording already: ~/stop ends the bag"

    def _stop(self) -> str:
        recorder = self._active_recorder()
        bags, trouble = recorder.stop(), recorder.figures().trouble
        told = f"; it had stopped by itself: {trouble}" if trouble else ""
        if not bags:
            return f"nothing was being recorded{told}"
        return f"recorded {', '.join(map(str, bags))}{told}"

    def _snapshot(self) -> str:
        return f"recorded {self._active_recorder().snapshot()}"

    def _active_recorder(self) -> BagRecorder:
        if self._recorder is None or not self.is_active:
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
        if figures is None or not self.is_active:
            return DiagnosticStatus.OK, "not active"
        errors, warnings = self._errors(figures), self._warnings(figures)
        if errors:
            return DiagnosticStatus.ERROR, "; ".join(errors)
        if warnings:
            return DiagnosticStatus.WARN, "; ".join(warnings)
        return DiagnosticStatus.OK, "recording" if figures.recording else "not recording"

    def _errors(self, figures: RecorderFigures) -> list[str]:
        assert self._topics is not None
        refused = self._topics.refused.items()
        return [
            *([f"recording has stopped: {figures.trouble}"] if figures.trouble else []),
            *(f"{n} cannot be recorded: {why}" for n, why in refused if n in self._required),
            *(
                f"{name}: {failed.messages} messages could not be stored: {failed.reason}"
                for name, failed in figures.failures.items()
                if failed.now
            ),
        ]

    def _warnings(self, figures: RecorderFigures) -> list[str]:
        assert self._topics is not None
        if self._clock_stands:
            return ["nothing is recorded: use_sim_time is set, and nothing has come on /clock"]
        topics, refused = self._topics.topics, self._topics.refused
        missing = [n for n in self._required if n not in topics or not topics[n].published]
        now = time.monotonic()
        return [
            *([f"{figures.lost} messages lost: the disk is too slow"] if figures.lost else []),
            *(
                f"{topic.name}: {topic.lost} messages lost on their way: best effort publishers of"
                " large messages need config/fastdds.xml"
                for topic in topics.values()
                if topic.lost
            ),
            *(
                f"{name}: {failed.messages} messages could not be stored: {failed.reason}"
                for name, failed in figures.failures.items()
                if not failed.now
            ),
            *(
                f"{name}: {images.messages} images are stored as they came: {images.reason}"
                for name, images in figures.as_they_came.items()
            ),
            *([f"nobody publishes {', '.join(missing)}"] if missing else []),
            *(f"{n} cannot be recorded: {why}" for n, why in refused.items()),
            *(
                f"{topic.name} is published as {' and as '.join(topic.types)}: recorded is"
                f" {topic.kind}"
                for topic in topics.values()
                if len(topic.types) > 1
            ),
            *(
                f"{topic.name}: no image for {now - topic.latest:.0f} s"
                for topic in topics.values()
                if topic.published
                and topic.kind in (IMAGE, COMPRESSED)
                and now - topic.latest > _SILENT
            ),
        ]

    def _facts(self, figures: RecorderFigures | None) -> dict[str, str]:
        if figures is None or self._topics is None:
            return {}
        return {
            "recording": str(figures.recording).lower(),
            "bag": "none" if figures.bag is None else str(figures.bag),
            "messages written": str(figures.written),
            "messages left out at standstill": str(figures.left_out),
            "messages lost": str(figures.lost),
            "messages lost on their way": str(sum(t.lost for t in self._topics.topics.values())),
            "messages that could not be stored": str(figures.failed),
            "images stored as they came": str(
                sum(f.messages for f in figures.as_they_came.values())
            ),
            "written (MB)": f"{figures.megabytes:.1f}",
            "waiting for the disk (MB)": f"{figures.waiting_megabytes:.1f}",
            "topics": ", ".join(sorted(self._topics.topics)) or "none yet",
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
