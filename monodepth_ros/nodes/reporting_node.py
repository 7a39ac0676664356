"""A lifecycle node that starts by itself, works beside its executor, and reports how it is."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.parameters import ParameterSpec, declare_parameters

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
STEADY = Clock(clock_type=ClockType.STEADY_TIME)  # of timers: simulated time may stand still
Status = tuple[bytes, str, Mapping[str, str]]  # level, message and values of a diagnostic status
_Result = TypeVar("_Result")


class ReportingNode(LifecycleNode, ABC):
    """What all nodes have: checked parameters, autostart, services that take long, diagnostics.

    Diagnostics do not hang on the node's state: one that could not be configured tells why.
    """

    def __init__(self, name: str, parameters: Sequence[ParameterSpec], **options: Any) -> None:
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

    def can(self) -> TransitionCallbackReturn:
        """Succeed in a transition, and forget what was refused before."""
        self._unusable = ""
        return SUCCESS

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

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget what was refused before."""
        self._unusable = ""
        return super().on_activate(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleaning up."""
        return self.on_cleanup(state)

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
        level, message, values = self.status()
        if self._unusable:
            level, message = DiagnosticStatus.ERROR, self._unusable
        status = DiagnosticStatus(level=level, name=name, message=message, hardware_id=name)
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def reason_of(error: Exception) -> str:
    """What to tell of it: a UserError speaks for itself, of others the kind matters too."""
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
