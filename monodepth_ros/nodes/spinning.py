"""A node's life as a process: from init to a clean end, whatever signal ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.reporting_node import ReportingNode

_WAKE = 0.2  # seconds after which the executor looks for a signal, when nothing comes in


def run_node(create: Callable[[], ReportingNode], arguments: list[str] | None = None) -> int:
    """Create a node and spin it until SIGINT or SIGTERM; the exit status.

    2 when it was started wrongly, with one line that says what is wrong. The node reports what a
    callback raises, and goes on. rclpy's own handlers would end the context at once, under the
    hands of a worker that still publishes, and only on SIGINT.
    """
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    node = None
    executor = SingleThreadedExecutor()
    try:
        node = create()
        executor.add_node(node)
        while not stopping and rclpy.ok():
            try:
                executor.spin_once(timeout_sec=_WAKE)
            except Exception as error:
                node.report_failure(error)
    except UserError as error:
        print(f"{sys.argv[0].rpartition('/')[2]}: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.destroy_node()
        executor.shutdown(timeout_sec=1.0)
        rclpy.try_shutdown()
    return 0
