"""The base of all nodes: lifecycle, services, diagnostics."""

from __future__ import annotations

import threading
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError, reason_of
from monodepth_ros.nodes.parameters import ParameterSpec, declare_parameters
from monodepth_ros.nodes.steady_clock import STEADY

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR
LOG_PERIOD = 1.0  # seconds between two log lines about the same kind of failure
_FAILURE_HOLD = 5.0  # seconds for which a failed callback is an ERROR in diagnostics
# Every transition, and the one that undoes it when it fails half way.
_TRANSITIONS = {
    "on_configure": "on_cleanup",
    "on_activate": "on_deactivate",
    "on_deactivate": "",
    "on_cleanup": "",
    "on_shutdown": "",
}
Status = tuple[bytes, str, Mapping[str, str]]  # level, message and values of a diagnostic status
_Result = TypeVar("_Result")


class ReportingNode(LifecycleNode, ABC):
    """A lifecycle node with checked parameters, autostart, slow services and diagnostics.

    Diagnostics are published in every state: a node that could not be configured says why. An
    exception in a transition, a service or another callback is in the log and in diagnostics. A
    transition that fails half way is undone, so that no node stays half configured.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        # rclpy takes the callbacks as they are now, and swallows their exceptions silently.
        for transition, undo in _TRANSITIONS.items():
            callback = partial(self._run_transition, transition, getattr(self, transition), undo)
            setattr(self, transition, callback)
        self.is_active = False
        self._failures, self._failed_at, self._last_failure = 0, -_FAILURE_HOLD, ""
        super().__init__(name, **options)
        self._transition_error = ""  # why the last transition failed
        self._refused_request = ""  # the last request that a service refused, and why
        # A group of its own: other callbacks run while a service works.
        self._service_group = MutuallyExclusiveCallbackGroup()
        declare_parameters(self, parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(self.value("diagnostics_period"), self._report, clock=STEADY)
        if self.value("autostart"):
            self._autostart = self.create_timer(0.0, self._run_autostart, clock=STEADY)

    @abstractmethod
    def status(self) -> Status:
        """The diagnostic status, as long as no transition has failed."""

    def parts(self) -> Mapping[str, Status]:
        """Further statuses by name, of a node that has several of something."""
        return {}

    def value(self, name: str) -> Any:
        """The value of a parameter; a list of one empty string is empty (see `ParameterSpec`)."""
        value = self.get_parameter(name).value
        return [] if value == [""] else value

    def report_failure(self, error: Exception) -> None:
        """Report an exception of a callback in the log and in diagnostics; the node goes on."""
        now = time.monotonic()
        if now >= self._failed_at + LOG_PERIOD or reason_of(error) != self._last_failure:
            self.get_logger().error(f"a callback failed: {reason_of(error)}{_trace(error)}")
        self._failures += 1
        self._failed_at, self._last_failure = now, reason_of(error)

    def offer_service(
        self, service: str, work: Callable[[], _Result], then: Callable[[_Result], str] = str
    ) -> None:
        """Offer the Trigger service ``~/service``, whose work does not block the executor.

        ``work`` runs on a thread of its own. ``then`` gets its result, on the executor, and returns
        the response's message. An exception of either becomes a response without success, a line
        in the log and a value in diagnostics.
        """
        callback = partial(self._serve, service, work, then)
        self.create_service(Trigger, f"~/{service}", callback, callback_group=self._service_group)

    def stop(self) -> None:  # noqa: B027 - a node may have nothing to stop
        """End what runs while the node is active; called before cleanup and destruction too."""

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop, then deactivate."""
        self.stop()
        return super().on_deactivate(state)

    def destroy_node(self) -> None:
        """Stop before publishers are destroyed and the process ends."""
        self.stop()
        super().destroy_node()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up."""
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up after a failed transition; the node can then be configured again."""
        reason = self._transition_error
        cleaned = self.on_cleanup(state)
        self._transition_error = reason
        return SUCCESS if cleaned == SUCCESS else FAILURE

    def _run_transition(
        self,
        transition: str,
        callback: Callable[[LifecycleState], TransitionCallbackReturn],
        undo: str,
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Run a transition; an exception refuses it. Undo it when it fails half way."""
        if transition != "on_configure":
            self.is_active = False
        try:
            result = callback(state)
        except Exception as error:
            self._transition_error = f"cannot {transition.removeprefix('on_')}: {reason_of(error)}"
            self.get_logger().error(f"{self._transition_error}{_trace(error)}")
            result = FAILURE if undo else ERROR
        if result == SUCCESS:
            self.is_active = transition == "on_activate"
            self._transition_error = ""
        elif undo:
            reason = self._transition_error
            if getattr(self, undo)(state) != SUCCESS:
                return ERROR
            self._transition_error = reason
        return result

    def _run_autostart(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    async def _serve(
        self,
        service: str,
        work: Callable[[], _Result],
        then: Callable[[_Result], str],
        request: Trigger.Request,
        response: Trigger.Response,
    ) -> Trigger.Response:
        done: Any = Future(executor=self.executor)

        def run() -> None:
            try:
                done.set_result((work(), None))
            except Exception as error:  # the caller waits for a response
                done.set_result((None, error))

        threading.Thread(target=run, name=f"{self.get_name()} service", daemon=True).start()
        result, error = await done
        try:
            if error is not None:
                raise error
            response.success, response.message = True, then(result)
        except Exception as refusal:
            response.success, response.message = False, reason_of(refusal)
            self._refused_request = f"~/{service}: {reason_of(refusal)}"
            self.get_logger().error(f"{self._refused_request}{_trace(refusal)}")
        return response

    def _report(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        try:
            (level, message, values), parts = self.status(), self.parts()
        except Exception as error:  # diagnostics are published whatever happens
            self.report_failure(error)
            level, message, values, parts = DiagnosticStatus.ERROR, "", {}, {}
        if self._failures:
            values = {**values, "callbacks failed": str(self._failures)}
        if self._refused_request:
            values = {**values, "last refused request": self._refused_request}
        if time.monotonic() < self._failed_at + _FAILURE_HOLD:
            level = DiagnosticStatus.ERROR
            message = f"a callback failed: {self._last_failure}"
        if self._transition_error:
            level, message = DiagnosticStatus.ERROR, self._transition_error
        array = DiagnosticArray(status=[_message(name, name, (level, message, values))])
        for part, status in parts.items():
            array.status.append(_message(f"{name}: {part}", name, status))
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def _message(name: str, hardware: str, status: Status) -> DiagnosticStatus:
    level, message, values = status
    written = DiagnosticStatus(level=level, name=name, message=message, hardware_id=hardware)
    written.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return written


def _trace(error: Exception) -> str:
    """The traceback of an unexpected exception, for the log."""
    if isinstance(error, UserError):
        return ""
    return "\n" + "".join(traceback.format_exception(error))
