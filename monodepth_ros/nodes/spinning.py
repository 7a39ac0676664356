"""A node's process: from init to a clean exit, whatever signal ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.reporting_node import ReportingNode

_SPIN_TIMEOUT = 0.2  # seconds after which an idle executor looks for a signal


def run_node(create: Callable[[], ReportingNode], arguments: list[str] | None = None) -> int:
    """Create a node and spin it until SIGINT or SIGTERM; return the exit status.

    The status is 2, with one line of explanation, when the node was started wrongly. The node
    reports exceptions of callbacks and keeps running. rclpy's own signal handlers would shut the
    context down at once, while a worker still publishes, and only on SIGINT.
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
                executor.spin_once(timeout_sec=_SPIN_TIMEOUT)
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
