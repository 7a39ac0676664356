"""A node that works when it is asked to: its life cycle, its services and its diagnostics."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.task import Future
from std_srvs.srv import Trigger

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.parameters import ParameterSpec, declare_parameters

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
STEADY = Clock(clock_type=ClockType.STEADY_TIME)  # of timers: simulated time may stand still


class ServiceNode(LifecycleNode, ABC):
    """Answers each service from a thread of its own, so that the executor never waits for work.

    ``services`` are names and what they do: the text returned is the answer, a UserError the
    refusal. `status` says what diagnostics tell.
    """

    def __init__(
        self,
        name: str,
        parameters: Sequence[ParameterSpec],
        services: Mapping[str, Callable[[], str]],
        **options: Any,
    ) -> None:
        super().__init__(name, **options)
        self.unusable = ""  # why the node could not be configured or activated
        declare_parameters(self, parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(self.value("diagnostics_period"), self._report, clock=STEADY)
        # A group of its own: while a service works, all else goes on.
        group = MutuallyExclusiveCallbackGroup()
        for service, work in services.items():
            answer = partial(self._answer, work)
            self.create_service(Trigger, f"~/{service}", answer, callback_group=group)
        if self.value("autostart"):
            self._autostart = self.create_timer(0.0, self._start_by_itself, clock=STEADY)

    @abstractmethod
    def status(self) -> tuple[bytes, str, dict[str, str]]:
        """Level, message and values of the diagnostics."""

    def value(self, name: str) -> Any:
        """The value of a parameter."""
        return self.get_parameter(name).value

    def cannot(self, reason: str) -> TransitionCallbackReturn:
        """Refuse a transition: in the log, and on diagnostics until another one succeeds."""
        self.unusable = reason
        self.get_logger().error(reason)
        return FAILURE

    def _start_by_itself(self) -> None:
        self.destroy_timer(self._autostart)
        if self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    async def _answer(
        self, work: Callable[[], str], request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        done: Any = Future(executor=self.executor)

        def run() -> None:
            try:
                done.set_result((True, work()))
            except Exception as error:  # whatever it is, the caller waits for an answer
                known = isinstance(error, UserError)
                done.set_result(
                    (False, str(error) if known else f"{type(error).__name__}: {error}")
                )

        threading.Thread(target=run, name=f"{self.get_name()} service", daemon=True).start()
        response.success, response.message = await done
        return response

    def _report(self) -> None:
        name = self.get_fully_qualified_name().lstrip("/")
        level, message, facts = self.status()
        if self.unusable:
            level, message = DiagnosticStatus.ERROR, self.unusable
        status = DiagnosticStatus(level=level, name=name, message=message, hardware_id=name)
        status.values = [KeyValue(key=key, value=value) for key, value in facts.items()]
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)
