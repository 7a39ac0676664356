"""A node that fails once where the parameter `fails_in` says; the tests run it as a process."""

from __future__ import annotations

import sys
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.reporting_node import SUCCESS, ReportingNode, Status
from monodepth_ros.nodes.spinning import run_node
from monodepth_ros.nodes.steady_clock import STEADY

PARAMETERS = (
    ParameterSpec("autostart", True, "start by itself"),
    ParameterSpec("diagnostics_period", 0.1, "seconds"),
    ParameterSpec("fails_in", "", "where it fails", read_only=False),
)


class FaultyNode(ReportingNode):
    """Holds a thing from configuring to cleaning up, and another while it is active."""

    def __init__(self, **options: Any) -> None:
        self.held: set[str] = set()
        super().__init__("faulty_node", PARAMETERS, **options)
        self.create_timer(0.2, lambda: self._fail_in("timer"), clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.held.add("model")
        self._fail_in("configure")
        return SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.held.add("worker")
        self._fail_in("activate")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fail_in("deactivate")
        self.held.discard("worker")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._fail_in("cleanup")
        self.held.clear()
        return SUCCESS

    def status(self) -> Status:
        self._fail_in("status")
        return DiagnosticStatus.OK, "well", {"held": " ".join(sorted(self.held))}

    def _fail_in(self, place: str) -> None:
        if self.value("fails_in") == place:
            self.set_parameters([Parameter("fails_in", value="")])
            raise ZeroDivisionError(f"{place} divides by zero")


if __name__ == "__main__":
    sys.exit(run_node(FaultyNode))
