"""One tuning on the robot: train within limits, apply the verdict, hand the model over."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError, reason_of
from monodepth_ros.nodes.tuner.live_nodes import LiveNodes
from monodepth_ros.nodes.tuner.machine_state import power, temperature
from monodepth_ros.nodes.tuner.process import TuningProcess, last_line
from monodepth_ros.zoo.versions import ModelVersions

_JOB, _OUTCOME, _VERDICT, LOG = "job.json", "outcome.json", "verdict.json", "tuning.log"
_POLL_PERIOD = 0.5  # seconds between two checks of the limits
_STOP_TIMEOUT = 10.0  # seconds in which a stopped training writes its checkpoint
_MAX_KILLS = 5  # of the process from outside, without progress
_PROBATION = 6.0  # seconds in which nodes with the new model must not report errors


@dataclass(frozen=True)
class TuningLimits:
    """The node's parameters of these names; a maximum of 0 is no limit.

    A tuning that needs more memory fails. More heat (degrees Celsius), power (watts) or latency of
    a live node (relative to that before the training) pauses it.
    """

    threads: int = 1
    max_memory_mb: float = 0.0
    max_temperature: float = 0.0
    max_power: float = 0.0
    power_sensor: str = ""
    max_latency_ratio: float = 1.5
    baseline_seconds: float = 10.0
    min_pause_seconds: float = 10.0


class TuningJob:
    """A tuning in a folder: job.json at the start, outcome.json at the end.

    ``stage`` and ``detail`` describe its progress; any thread may read them.
    """

    def __init__(
        self,
        folder: Path,
        limits: TuningLimits,
        live: LiveNodes,
        versions: ModelVersions,
        hand_over: bool,
    ) -> None:
        self.folder, self.limits = folder, limits
        self.stage, self.detail = "starting", ""
        self._live, self._versions, self._hand_over_enabled = live, versions, hand_over
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tuning", daemon=True)

    @staticmethod
    def create(folder: Path, arguments: list[str]) -> None:
        """Write job.json, so that an interrupted job can be resumed."""
        _write(folder / _JOB, {"arguments": arguments})

    @staticmethod
    def unfinished(parent: Path) -> list[Path]:
        """Folders of jobs without an outcome, the oldest first."""
        jobs = sorted(parent.glob(f"*/{_JOB}"))
        return [job.parent for job in jobs if not (job.parent / _OUTCOME).is_file()]

    @staticmethod
    def abandon(folder: Path, reason: str) -> None:
        """End an unfinished job; it is not resumed."""
        _write(folder / _OUTCOME, {"result": "abandoned", "reason": reason})

    @property
    def running(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Run it on a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop it; it can be resumed later."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT + 2.0)

    def _run(self) -> None:
        try:
            failure = self._tune()
            if self._stopping.is_set():
                self.stage, self.detail = "stopped", "it is resumed when the node is active again"
                return
            if failure:
                self._finish("failed", failure)
            else:
                self._apply_verdict()
        except Exception as error:  # an exception of a thread would be lost
            self._finish("failed", reason_of(error))

    def _tune(self) -> str:
        """Run the process until it has a verdict; return why there is none."""
        arguments = json.loads((self.folder / _JOB).read_text())["arguments"]
        log = self.folder / LOG
        if (self.folder / _VERDICT).is_file():
            return ""
        baseline = self._baseline()
        kills, reached = 0, self._progress()
        while not self._stopping.is_set():
            process = TuningProcess(arguments, log, self.limits.threads)
            failure = self._watch(process, baseline)
            if failure or process.status == 0 or self._stopping.is_set():
                return failure
            assert process.status is not None
            if process.status > 0:
                return last_line(log) or f"monodepth tune ended with {process.status}"
            kills = 1 if self._progress() > reached else kills + 1
            reached = self._progress()
            if kills == _MAX_KILLS:
                return f"killed {kills} times without progress, last by signal {-process.status}"
        return ""

    def _progress(self) -> float:
        """The time of the last file that a new attempt resumes from."""
        kept = ("sequences/**/frames.csv", "cache/*/done.json", "run/**/*.ckpt")
        files = [file for pattern in kept for file in self.folder.glob(pattern)]
        return max((file.stat().st_mtime for file in files), default=0.0)

    def _baseline(self) -> dict[str, float]:
        """The latencies of the live nodes without training."""
        self.stage, self.detail = "measuring", "latency of the live nodes"
        if self.limits.max_latency_ratio > 0:
            self._stopping.wait(self.limits.baseline_seconds)
        return self._live.latencies(self.limits.baseline_seconds)

    def _watch(self, process: TuningProcess, baseline: dict[str, float]) -> str:
        """Keep the process within its limits until it ends; return why it was stopped."""
        paused_at = 0.0
        while process.status is None:
            if self._stopping.wait(_POLL_PERIOD):
                process.stop(_STOP_TIMEOUT)
                return ""
            most = self.limits.max_memory_mb
            if 0 < most < process.memory_mb:
                process.stop(_STOP_TIMEOUT)
                return f"it needs more than max_memory_mb, {most:.0f} MB"
            reason = self._exceeded_limit(baseline)
            now = time.monotonic()
            if reason:
                paused_at = now
                process.pause()
            elif now - paused_at >= self.limits.min_pause_seconds:
                process.resume()
            if process.paused:
                self.stage = "paused"
                self.detail = reason or self.detail
            else:
                self.stage, self.detail = "tuning", last_line(self.folder / LOG)
        return ""

    def _exceeded_limit(self, baseline: dict[str, float]) -> str:
        limits = self.limits
        hot, watts = temperature(), power(limits.power_sensor)
        if limits.max_temperature > 0 and hot > limits.max_temperature:
            return f"{hot:.0f} degrees Celsius, max_temperature is {limits.max_temperature:.0f}"
        if limits.max_power > 0 and watts > limits.max_power:
            return f"{watts:.1f} W, max_power is {limits.max_power:.1f}"
        name, ratio = self._live.max_slowdown(baseline)
        if limits.max_latency_ratio > 0 and ratio > limits.max_latency_ratio:
            return f"the latency of {name} is {ratio:.1f} times that before"
        return ""

    def _apply_verdict(self) -> None:
        verdict: dict[str, Any] = json.loads((self.folder / _VERDICT).read_text())
        if not verdict["better"]:
            self._finish("kept", f"the former model: {verdict['reason']}")
        elif not self._hand_over_enabled:
            self._finish("better", f"{verdict['model']} is not handed over: {verdict['reason']}")
        else:
            self._hand_over(Path(verdict["model"]), verdict["reason"])

    def _hand_over(self, candidate: Path, reason: str) -> None:
        self.stage, self.detail = "handing over", candidate.name
        version = self._versions.adopt(candidate)
        try:
            updated = self._live.load_model(self._versions.model)
            self._stopping.wait(_PROBATION)
            problem = self._live.current_error() if updated else ""
            if problem:
                raise UserError(f"with {version.name}, {problem}")
        except UserError as error:
            self._live.load_model(self._versions.roll_back())
            self._finish("failed", f"the former model is in use again: {error}")
            return
        users = ", ".join(updated) or "no running node"
        self._finish("handed over", f"{version.name} to {users}: {reason}")

    def _finish(self, result: str, reason: str) -> None:
        self.stage, self.detail = result, reason
        _write(self.folder / _OUTCOME, {"result": result, "reason": reason})


def outcome(folder: Path) -> str:
    """The outcome of a job in one line; empty while it is unfinished."""
    try:
        content = json.loads((folder / _OUTCOME).read_text())
        return f"{content['result']}: {content['reason']}"
    except (OSError, ValueError, KeyError):
        return ""


def _write(file: Path, content: dict[str, Any]) -> None:
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
