"""Programs that are interrupted while they load: no traceback, and the status of a signal."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

NODES = ("depth_node", "odometry_node", "recorder_node", "tuner_node")
PROGRAMS = {
    **{node: f"from monodepth_ros.nodes.programs import {node} as main" for node in NODES},
    "monodepth": "from monodepth_ros.cli.program import monodepth as main",
}


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal, or keeps it waiting for one."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name in ("SigCgt", "SigBlk") and int(mask, 16) >> (number - 1) & 1:
            return True
    return False


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.6])
@pytest.mark.parametrize("program", ["monodepth", "depth_node"])
def test_a_signal_while_it_loads(
    ros_environment: dict[str, str], tmp_path: Path, program: str, delay: float
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", f"{PROGRAMS[program]}; main()", "predict", "nothing.jpg"],
        env=ros_environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + 60
    # Python itself handles SIGINT from its start: SIGTERM shows that the program does.
    while not handles(process.pid, signal.SIGTERM) and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert "Traceback" not in output
    if delay == 0.0 and program == "depth_node":
        assert (process.returncode, output) == (130, "")
    # 2: nothing.jpg is not there; 0: the node was up; -2: Python had ended and handles no signal.
    assert process.returncode in (130, 2, 0, -signal.SIGINT)


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is None, reason="no ROS 2")
@pytest.mark.parametrize("node", NODES)
def test_every_node_has_a_program(node: str, ros_environment: dict[str, str]) -> None:
    """A wrong parameter ends each with one line."""
    done = subprocess.run(
        [sys.executable, "-c", f"{PROGRAMS[node]}; main()", "--ros-args", "-p", "modle:=demo"],
        env=ros_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "unknown parameter modle" in done.stderr


def test_without_ros_a_node_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text("raise ModuleNotFoundError('rclpy', name='rclpy')\n")
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
    done = subprocess.run(
        [sys.executable, "-c", f"{PROGRAMS['depth_node']}; main()"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no ROS 2 found" in done.stderr
