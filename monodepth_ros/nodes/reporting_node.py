"""A lifecycle node that starts by itself, works beside its executor, and reports how it is."""

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
LOG_PERIOD = 1.0  # seconds between two lines in the log about the same kind of trouble
_RECENT = 5.0  # seconds for which a callback that failed is an ERROR on diagnostics
# Every transition, and the one that undoes it where it ends half way.
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
    """What all nodes have: checked parameters, autostart, services that take long, diagnostics.

    Diagnostics do not hang on the node's state: one that could not be configured tells why. What a
    transition or a callback raises is in the log and on diagnostics, and a transition that fails
    half way is undone.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
        # rclpy takes the callbacks as they are now, and drops without a word what they raise.
        for transition, undo in _TRANSITIONS.items():
            guarded = partial(self._guarded, transition, getattr(self, transition), undo)
            setattr(self, transition, guarded)
        self.is_active = False
        self._failures, self._failed_at, self._last_failure = 0, -_RECENT, ""
        super().__init__(name, **options)
        self._unusable = ""  # why the node could not be configured or activated
        # A group of its own: while a service works, all else goes on.
        self._of_services = MutuallyExclusiveCallbackGroup()
        declare_parameters(self, parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(self.value("diagnostics_period"), self._report, clock=STEADY)
        if self.value("autostart"):
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=STEADY)

    @abstractmethod
    def status(self) -> Status:
        """What diagnostics tell of a node that could be configured and activated."""

    def value(self, name: str) -> Any:
        """The value of a parameter."""
        return self.get_parameter(name).value

    def report_failure(self, error: Exception) -> None:
        """Tell of a callback that raised ``error``: it would have ended the process."""
        now = time.monotonic()
        if now >= self._failed_at + LOG_PERIOD or reason_of(error) != self._last_failure:
            self.get_logger().error(f"a callback failed: {reason_of(error)}{_where(error)}")
        self._failures += 1
        self._failed_at, self._last_failure = now, reason_of(error)

    def cannot(self, reason: str) -> TransitionCallbackReturn:
        """Refuse a transition: in the log, and on diagnostics until another one succeeds."""
        self._unusable = reason
        self.get_logger().error(reason)
        return FAILURE

    def answers(
        self, service: str, work: Callable[[], _Result], then: Callable[[_Result], str] = str
    ) -> None:
        """Offer the service ``~/service``, for which the executor does not wait.

        ``work`` runs on a thread of its own; what it gives goes to ``then``, on the executor, whose
        text is the answer. What either raises refuses the call.
        """
        answer = partial(self._answer, work, then)
        self.create_service(Trigger, f"~/{service}", answer, callback_group=self._of_services)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleaning up."""
        return self.on_cleanup(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up what a failed transition left; the node can then be configured anew."""
        reason = self._unusable
        cleaned = self.on_cleanup(state)
        self._unusable = reason
        return SUCCESS if cleaned == SUCCESS else FAILURE

    def _guarded(
        self,
        transition: str,
        callback: Callable[[LifecycleState], TransitionCallbackReturn],
        undo: str,
        state: LifecycleState,
    ) -> TransitionCallbackReturn:
        """Run a transition; what it raises refuses it, with the reason."""
        if transition != "on_configure":
            self.is_active = False
        try:
            result = callback(state)
        except Exception as error:
            self._unusable = f"cannot {transition.removeprefix('on_')}: {reason_of(error)}"
            self.get_logger().error(f"{self._unusable}{_where(error)}")
            result = FAILURE if undo else ERROR
        if result == SUCCESS:
            self.is_active = transition == "on_activate"
            self._unusable = ""
        elif undo:
            reason = self._unusable
            if getattr(self, undo)(state) != SUCCESS:
                return ERROR
            self._unusable = reason
        return result

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    async def _answer(
        self,
        work: Callable[[], _Result],
        then: Callable[[_Result], str],
        request: Trigger.Request,
        response: Trigger.Response,
    ) -> Trigger.Response:
        done: Any = Future(executor=self.executor)

        def run() -> None:
            try:
                done.set_result((work(), None))
            except Exception as error:  # whatever it is, the caller waits for an answer
                done.set_result((None, error))

        threading.Thread(target=run, name=f"{self.get_name()} service", daemon=True).start()
        result, error = await done
        try:
            if error is not None:
                raise error
            response.success, response.message = True, then(result)
        except Exception as refusal:
            response.success, response.message = False, reason_of(refusal)
        return response

    def _report(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        try:
            level, message, values = self.status()
        except Exception as error:  # diagnostics come whatever happens
            self.report_failure(error)
            level, message, values = DiagnosticStatus.ERROR, "", {}
        if self._failures:
            values = {**values, "callbacks failed": str(self._failures)}
        if time.monotonic() < self._failed_at + _RECENT:
            level = DiagnosticStatus.ERROR
            message = f"a callback failed: {self._last_failure}"
        if self._unusable:
            level, message = DiagnosticStatus.ERROR, self._unusable
        status = DiagnosticStatus(level=level, name=name, message=message, hardware_id=name)
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def _where(error: Exception) -> str:
    """For the log: where an error came from that nobody expected."""
    if isinstance(error, UserError):
        return ""
    return "\n" + "".join(traceback.format_exception(error))
