"""The running nodes of the camera: their latencies, and the model that they load."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError

_LATENCY = "latency 95th percentile (ms)"
_MAX_AGE = 3.0  # seconds for which diagnostics are valid
_DISCOVERY_TIMEOUT = 1.0  # seconds in which the services of a running node are found
_RESPONSE_TIMEOUT = 60.0  # seconds in which a model is loaded


class LiveNodes:
    """Reads the diagnostics of nodes and loads models into them."""

    def __init__(self, node: Node, names: Sequence[str]) -> None:
        self._node = node
        self._reports: dict[str, deque[tuple[float, float]]] = defaultdict(
            lambda: deque(maxlen=600)
        )
        self._levels: dict[str, tuple[float, bytes, str]] = {}
        self._subscription = node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, 10
        )
        self._clients: dict[str, tuple[Client, Client]] = {
            name: (
                node.create_client(SetParameters, f"{name}/set_parameters"),
                node.create_client(Trigger, f"{name}/reload"),
            )
            for name in names
        }
        # Names in diagnostics are fully qualified, without the leading slash.
        self._names_in_diagnostics = {
            node.resolve_topic_name(name).lstrip("/"): name for name in names
        }

    def close(self) -> None:
        """Unsubscribe and destroy the clients."""
        self._node.destroy_subscription(self._subscription)
        for clients in self._clients.values():
            for client in clients:
                self._node.destroy_client(client)

    def latencies(self, seconds: float) -> dict[str, float]:
        """For each node, the median of its 95th-percentile latencies (ms) in the last seconds."""
        since = time.monotonic() - seconds
        found = {}
        for name, reports in list(self._reports.items()):
            lately = [value for at, value in list(reports) if at >= since]
            if lately:
                found[name] = statistics.median(lately)
        return found

    def max_slowdown(self, baseline: dict[str, float]) -> tuple[str, float]:
        """The node with the largest ratio of its latency to ``baseline``, and that ratio."""
        now = self.latencies(_MAX_AGE)
        ratios = {name: now[name] / baseline[name] for name in now.keys() & baseline.keys()}
        if not ratios:
            return "", 0.0
        worst = max(ratios, key=lambda name: ratios[name])
        return worst, ratios[worst]

    def current_error(self) -> str:
        """The error that a node reports now; empty if none does."""
        since = time.monotonic() - _MAX_AGE
        for name, (at, level, message) in list(self._levels.items()):
            if at >= since and level == DiagnosticStatus.ERROR:
                return f"{name}: {message}"
        return ""

    def load_model(self, model: str) -> list[str]:
        """Load ``model`` into every running node; returns their names.

        Blocks; must not be called on the executor's thread. UserError when a node refuses; the
        nodes before it have loaded the model then.
        """
        updated = []
        for name, (parameters, reload) in self._clients.items():
            if not parameters.wait_for_service(_DISCOVERY_TIMEOUT):
                continue
            parameter = Parameter("model", value=model).to_parameter_msg()
            response = self._call(name, parameters, SetParameters.Request(parameters=[parameter]))
            if not response.results[0].successful:
                raise UserError(f"{name} refuses the model: {response.results[0].reason}")
            response = self._call(name, reload, Trigger.Request())
            if not response.success:
                raise UserError(f"{name} cannot load {model}: {response.message}")
            updated.append(name)
        return updated

    def _call(self, name: str, client: Client, request: Any) -> Any:
        arrived = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: arrived.set())
        if not arrived.wait(_RESPONSE_TIMEOUT):
            client.remove_pending_request(future)
            raise UserError(f"no response from {name} for {_RESPONSE_TIMEOUT:.0f} s")
        return future.result()

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            name = self._names_in_diagnostics.get(status.name)
            if name is None:
                continue
            now = time.monotonic()
            self._levels[name] = now, status.level, status.message
            for entry in status.values:
                if entry.key == _LATENCY:
                    with suppress(ValueError):  # "unknown": the node publishes nothing
                        if 0 < (milliseconds := float(entry.value)) < math.inf:
                            self._reports[name].append((now, milliseconds))
