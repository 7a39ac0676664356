"""What all tests share: real recordings, one thread, fixed seeds, and nodes on real DDS."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import pytest
import torch

from monodepth_ros.data.notes import tell_once

if TYPE_CHECKING:
    from viewer import Viewer

# Tests are imported by file, so what several of them share needs its folder on the path.
sys.path.insert(0, str(Path(__file__).parent / "support"))

REAL_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors run faster without threads, and sums come out in one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def nothing_told_before() -> None:
    tell_once.cache_clear()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, which are too large for the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real recordings in ../shared/data beside the repository")
    return REAL_DATA.resolve()


# Each test on DDS has a domain of its own, and nothing leaves this machine.
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

    def run(
        executable: str, *parameters: str, arguments: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        processes.append(start(executable, ros_environment, parameters, arguments))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.communicate()
