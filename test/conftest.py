"""What all tests share: real recordings, one thread, fixed seeds, and nodes on real DDS."""

from __future__ import annotations

import importlib
import importlib.util
import os
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import pytest
import torch

from monodepth_ros.data.notes import print_once

if TYPE_CHECKING:
    from viewer import Viewer

# Tests are imported by file, so what several of them share needs its folder on the path.
sys.path.insert(0, str(Path(__file__).parent / "support"))

from domains import own_domain
from nursery import Child, Nursery

# What `engine: auto` means here, without measuring; tests of the choice itself unset it.
os.environ["MONODEPTH_ENGINE"] = "torch:fp32"

# PyPI's ROS 2 executes Python anew when it is imported: before pytest-xdist starts its workers.
if importlib.util.find_spec("rclpy"):
    importlib.import_module("rclpy")

REAL_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)  # slow ones begin first
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
    print_once.cache_clear()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, which are too large for the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real recordings in ../shared/data beside the repository")
    return REAL_DATA.resolve()


@pytest.fixture
def ros_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The environment of this test's processes: a DDS domain of its own, on this machine alone."""
    pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_log")))
    with own_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        yield dict(os.environ)


@pytest.fixture
def viewer(ros_environment: dict[str, str]) -> Iterator[Viewer]:
    """A node in this process that plays the camera and hears the results."""
    from viewer import Viewer  # needs ROS, which may be absent

    with Viewer() as node:
        yield node


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where processes start that need what nodes import."""
    with closing(Nursery()) as nursery:
        yield nursery


@pytest.fixture
def start_code(nursery: Nursery, ros_environment: dict[str, str]) -> Iterator[Any]:
    """Starts code as a process, with parameters; what still runs at the end is killed."""
    with ExitStack() as running:

        def run(code: str, *parameters: str, arguments: Sequence[str] = ()) -> Child:
            words = [word for parameter in parameters for word in ("--ros-args", "-p", parameter)]
            words += ["--ros-args", *arguments] if arguments else []
            return running.enter_context(closing(nursery.start(code, words, ros_environment)))

        yield run


@pytest.fixture
def start_node(start_code: Any) -> Any:
    """Starts a node as a process, with ``name:=value`` parameters and other ROS arguments."""

    def run(program: str, *parameters: str, arguments: Sequence[str] = ()) -> Child:
        code = f"from monodepth_ros.nodes.programs import {program}; {program}()"
        return start_code(code, *parameters, arguments=arguments)

    return run
