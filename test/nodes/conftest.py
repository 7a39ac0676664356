"""Real nodes on real DDS: each test has a domain of its own, and nothing leaves this machine."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Tests are imported by file, so their shared modules need their folder on the path.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from viewer import Viewer

_domains = itertools.count(1 + os.getpid() % 100)


@pytest.fixture
def ros_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of this test's processes."""
    pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_DOMAIN_ID", str(1 + next(_domains) % 200))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_log")))
    return dict(os.environ)


@pytest.fixture
def viewer(ros_environment: dict[str, str]) -> Iterator[Viewer]:
    """A node in this process that plays the camera and hears the results."""
    from viewer import Viewer  # needs ROS, which may be absent

    with Viewer() as node:
        yield node


@pytest.fixture
def start_node(ros_environment: dict[str, str]) -> Iterator[Any]:
    """Starts a node as a process, with parameters; what still runs at the end is killed."""
    from viewer import start

    processes: list[subprocess.Popen[str]] = []

    def run(executable: str, *parameters: str) -> subprocess.Popen[str]:
        processes.append(start(executable, ros_environment, *parameters))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()
