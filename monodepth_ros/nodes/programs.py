"""The nodes' console scripts. Signals are handled before the imports, which take seconds."""

from __future__ import annotations

import importlib
import signal
import sys

from monodepth_ros.interruption import SIGNALS, end_by_signals


def depth_node() -> None:
    """Entry point of ``depth_node``."""
    _run("depth_node", "camera")


def odometry_node() -> None:
    """Entry point of ``odometry_node``."""
    _run("odometry_node", "camera")


def recorder_node() -> None:
    """Entry point of ``recorder_node``."""
    _run("recorder_node", "recorder")


def tuner_node() -> None:
    """Entry point of ``tuner_node``."""
    _run("tuner_node", "tuner")


def _run(node: str, room: str) -> None:
    # PyPI's ROS 2 executes Python anew when it is imported: signals wait until that has handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        importlib.import_module("rclpy")
    except ModuleNotFoundError:
        print(f"{node}: no ROS 2 here: source one, or install the extra [ros]", file=sys.stderr)
        sys.exit(2)
    end_by_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    importlib.import_module(f"monodepth_ros.nodes.{room}.{node}").main()
