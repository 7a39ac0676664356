"""`tuner_node`: trains on the recorder's bags and loads better weights into the live nodes."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from std_msgs.msg import String

from monodepth_ros.data.bags.recording.marked_bags import finished_bags
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.latched_topic import LATCHED
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.nodes.steady_clock import STEADY
from monodepth_ros.nodes.tuner.job import TuningJob, TuningLimits, outcome
from monodepth_ros.nodes.tuner.live_nodes import LiveNodes
from monodepth_ros.nodes.tuner.machine_state import power, temperature
from monodepth_ros.nodes.tuner.parameters import TUNER_PARAMETERS
from monodepth_ros.zoo.catalogue import is_name, resolve, user_models_folder
from monodepth_ros.zoo.versions import ModelVersions

_STATUS_PERIOD = 1.0  # seconds


class TunerNode(ReportingNode):
    """Starts and watches tunings; the training is a process of its own."""

    def __init__(self, **options: Any) -> None:
        self._live: LiveNodes | None = None
        self._versions: ModelVersions | None = None
        self._job: TuningJob | None = None
        self._last_status = ""
        super().__init__("tuner_node", TUNER_PARAMETERS, **options)
        self.offer_service("tune", self._tune)
        self.offer_service("rollback", self._roll_back)
        self._status = self.create_publisher(String, "~/status", LATCHED)
        self.create_timer(_STATUS_PERIOD, self._publish_status, clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check the models and the folders; fails with the reason."""
        name = self.value("tuned_model")
        if not is_name(name):
            raise UserError(f"parameter tuned_model: {name!r} cannot be the name of a model")
        resolve(self.value("model"))
        models = self.value("models_folder")
        folder = Path(models).expanduser() if models else user_models_folder()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._versions = ModelVersions(folder, name, self.value("model"))
        self._live = LiveNodes(self, self.value("live_nodes"))
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Resume an interrupted tuning."""
        unfinished = TuningJob.unfinished(self._folder) if self.value("resume") else []
        if unfinished:
            self.get_logger().info(f"resuming {unfinished[-1].name}")
            self._start(unfinished[-1])
        return super().on_activate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop the training and unsubscribe."""
        self.stop()
        if self._live is not None:
            self._live.close()
        self._live = self._versions = None
        return SUCCESS

    @property
    def _folder(self) -> Path:
        return Path(self.value("folder")).expanduser()

    def stop(self) -> None:
        """Stop the training; the next activation resumes it."""
        if self._job is not None:
            self._job.stop()

    def _tune(self) -> str:
        """Start a tuning; the response comes at once, the verdict on ~/status."""
        if not self.is_active or self._versions is None:
            raise UserError("the node is not active")
        if self._job is not None and self._job.running:
            raise UserError(f"{self._job.folder.name} is not finished: {self._job.stage}")
        bags_folder = Path(self.value("bags_folder")).expanduser()
        bags, left_out = finished_bags(bags_folder, self.value("prefix"), self.value("newest_bags"))
        note = f"; left out: {', '.join(left_out)}" if left_out else ""
        if not bags:
            raise UserError(
                f"{bags_folder}: no finished bag of a recorder with the prefix"
                f" {self.value('prefix')}; stop the recorder first{note}"
            )
        folder = self._folder / f"{self.value('tuned_model')}_{datetime.now():%Y%m%d_%H%M%S}"
        TuningJob.create(folder, self._arguments(bags, folder))
        self._start(folder)
        return f"{folder.name} trains on {len(bags)} bags{note}"

    def _arguments(self, bags: list[Path], folder: Path) -> list[str]:
        """The arguments of `monodepth tune`."""
        assert self._versions is not None
        start = self._versions.version or resolve(self.value("model"))
        options = {
            "--out": folder,
            "--model": start,
            "--base": resolve(self.value("model")),
            "--recipe": self.value("recipe"),
            "--teacher": resolve(teacher) if (teacher := self.value("teacher")) else None,
            "--known": self.value("known_scenes") or None,
            "--minutes": self.value("training_minutes"),
            "--threads": self.value("threads"),
            "--gpu-share": self.value("gpu_memory_fraction"),
            "--images": self.value("image_topic") or None,
            "--depth": self.value("depth_topic") or None,
            "--min-gain": self.value("min_gain"),
            "--max-forgetting": self.value("max_forgetting"),
            "--keep": self.value("former_weights_fraction"),
        }
        given = [[key, str(value)] for key, value in options.items() if value is not None]
        return [*map(str, bags), *(word for pair in given for word in pair)]

    def _start(self, folder: Path) -> None:
        assert self._live is not None and self._versions is not None
        for earlier in TuningJob.unfinished(self._folder):
            if earlier != folder:  # its model would replace that of this tuning
                TuningJob.abandon(earlier, f"{folder.name} was started after it")
        limits = TuningLimits(**{f.name: self.value(f.name) for f in fields(TuningLimits)})
        hands_over = self.value("hand_over")
        self._job = TuningJob(folder, limits, self._live, self._versions, hands_over)
        self._job.start()

    def _roll_back(self) -> str:
        """Load the previous model into the live nodes."""
        if not self.is_active or self._versions is None or self._live is None:
            raise UserError("the node is not active")
        if self._job is not None and self._job.running and self._job.stage == "handing over":
            raise UserError("a model is being handed over; try again")
        model = self._versions.roll_back()
        now = self._versions.version
        users = self._live.load_model(model)
        name = model if now is None else now.name
        return f"{name} is in use again, in {', '.join(users) or 'no running node'}"

    def status(self) -> Status:
        """The stage of the tuning, or the outcome of the last one."""
        job, versions = self._job, self._versions
        level, message = DiagnosticStatus.OK, "waiting for ~/tune"
        if not self.is_active:
            message = "not active"
        elif job is not None:
            message = f"{job.stage}: {job.detail}" if job.detail else job.stage
            level = DiagnosticStatus.ERROR if job.stage == "failed" else DiagnosticStatus.OK
        version = None if versions is None else versions.version
        return level, message, {
            "tuning": "none" if job is None else job.folder.name,
            "stage": "none" if job is None else job.stage,
            "last outcome": self._last_outcome(),
            "model in use": self.value("model") if version is None else version.name,
            "temperature (C)": f"{temperature():.0f}",
            "power (W)": f"{power(self.value('power_sensor')):.1f}",
        }  # fmt: skip

    def _last_outcome(self) -> str:
        jobs = sorted(self._folder.glob("*/outcome.json"))
        return f"{jobs[-1].parent.name} {outcome(jobs[-1].parent)}" if jobs else "none"

    def _publish_status(self) -> None:
        """Publish changes as JSON on ~/status, latched."""
        level, message, facts = self.status()
        del facts["temperature (C)"], facts["power (W)"]
        text = json.dumps({"message": message, **facts})
        if text != self._last_status:
            self._last_status = text
            self._status.publish(String(data=text))
            if level == DiagnosticStatus.ERROR:
                self.get_logger().error(message)
