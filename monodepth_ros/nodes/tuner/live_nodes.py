"""The nodes of the same camera that run while another learns: how fast they are, what they load."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError

_LATENCY = "latency 95th percentile (ms)"
_FRESH = 3.0  # seconds for which a report counts
_PRESENT = 1.0  # seconds in which a running node's services are found
_ANSWER = 60.0  # seconds in which a model loads


class LiveNodes:
    """Hears the diagnostics of nodes by name, and tells them which model to use."""

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        self._node = node
        self.names = list(names)
        self._reports: dict[str, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=600)
        )
        self._levels: dict[str, tuple[float, bytes, str]] = {}
        self._subscription = node.create_subscription(
            DiagnosticArray, "/diagnostics", self._hear, 10
        )
        self._of_nodes: dict[str, tuple[Client, Client]] = {
            name: (
                node.create_client(SetParameters, f"{name}/set_parameters"),
                node.create_client(Trigger, f"{name}/reload"),
            )
            for name in self.names
        }
        # Names on diagnostics are whole and without the leading slash.
        self._by_report = {node.resolve_topic_name(name).lstrip("/"): name for name in self.names}

    def close(self) -> None:
        """Listen no longer."""
        self._node.destroy_subscription(self._subscription)
        for clients in self._of_nodes.values():
            for client in clients:
                self._node.destroy_client(client)

    def latencies(self, seconds: float) -> dict[str, float]:
        """Median of what each node has reported as its 95th percentile lately, in milliseconds."""
        since = time.monotonic() - seconds
        found = {}
        for name, reports in list(self._reports.items()):
            lately = [value for at, value in list(reports) if at >= since]
            if lately:
                found[name] = statistics.median(lately)
        return found

    def slowest(self, baseline: dict[str, float]) -> tuple[str, float]:
        """Which node is slowed down most, and how many times its latency is that of before."""
        now = self.latencies(_FRESH)
        ratios = {name: now[name] / baseline[name] for name in now.keys() & baseline.keys()}
        if not ratios:
            return "", 0.0
        worst = max(ratios, key=lambda name: ratios[name])
        return worst, ratios[worst]

    def failing(self) -> str:
        """Why a node reports an error now; empty where none does."""
        since = time.monotonic() - _FRESH
        for name, (at, level, message) in list(self._levels.items()):
            if at >= since and level == DiagnosticStatus.ERROR:
                return f"{name}: {message}"
        return ""

    def load(self, model: str) -> list[str]:
        """Make every node that runs load ``model``; the names of those that did.

        Blocks until they have; not on the executor's thread. UserError where one refuses, with
        those before it changed already.
        """
        told = []
        for name, (parameters, reload) in self._of_nodes.items():
            if not parameters.wait_for_service(_PRESENT):
                continue
            wanted = Parameter("model", value=model).to_parameter_msg()
            answer = self._call(name, parameters, SetParameters.Request(parameters=[wanted]))
            if not answer.results[0].successful:
                raise UserError(f"{name} does not take the model: {answer.results[0].reason}")
            answer = self._call(name, reload, Trigger.Request())
            if not answer.success:
                raise UserError(f"{name} cannot load {model}: {answer.message}")
            told.append(name)
        return told

    def _call(self, name: str, client: Client, request: Any) -> Any:
        arrived = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: arrived.set())
        if not arrived.wait(_ANSWER):
            client.remove_pending_request(future)
            raise UserError(f"{name} has not answered for {_ANSWER:.0f} s")
        return future.result()

    def _hear(self, array: DiagnosticArray) -> None:
        for status in array.status:
            name = self._by_report.get(status.name)
            if name is None:
                continue
            now = time.monotonic()
            self._levels[name] = now, status.level, status.message
            for entry in status.values:
                if entry.key == _LATENCY:
                    self._note(name, now, entry.value)

    def _note(self, name: str, now: float, text: str) -> None:
        try:
            milliseconds = float(text)
        except ValueError:
            return  # unknown: it publishes nothing
        if math.isfinite(milliseconds) and milliseconds > 0:
            self._reports[name].append((now, milliseconds))
