"""The nodes' console scripts. Signals are handled before the imports, which take seconds."""

from __future__ import annotations

import importlib
import signal
import sys
from functools import partial

from monodepth_ros.interruption import SIGNALS, end_by_signals

# The module of each node, in monodepth_ros.nodes, and its class.
_CLASSES = {
    "depth_node": ("camera.depth_node", "DepthNode"),
    "odometry_node": ("camera.odometry_node", "OdometryNode"),
    "recorder_node": ("recorder.recorder_node", "RecorderNode"),
    "tuner_node": ("tuner.tuner_node", "TunerNode"),
}


def _run(node: str) -> None:
    # PyPI's ROS 2 executes Python again when it is imported: signals wait until that has handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        importlib.import_module("rclpy")
    except ModuleNotFoundError:
        print(f"{node}: no ROS 2 found: source one, or install the extra [ros]", file=sys.stderr)
        sys.exit(2)
    end_by_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    module, name = _CLASSES[node]
    create = getattr(importlib.import_module(f"monodepth_ros.nodes.{module}"), name)
    sys.exit(importlib.import_module("monodepth_ros.nodes.spinning").run_node(create))


depth_node, odometry_node, recorder_node, tuner_node = (partial(_run, node) for node in _CLASSES)
