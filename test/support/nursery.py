"""Starts nodes at once: forks them from a process that has imported what takes long.

The imports take two seconds, and more than a hundred tests start a node. What runs is the same as
with ``python -c CODE``: a process of its own, with its own signals, that ends as Python ends.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

PACKAGES = ("monodepth_ros.inference", "monodepth_ros.zoo", "monodepth_ros.data.bags")
# Libraries that may be absent, and that start threads, which no fork has.
OPTIONAL = ("openvino", "onnxruntime", "nncf")
MESSAGE = 1 << 17  # bytes; an environment is shorter


class Nursery:
    """The process that forks; it ends with this one."""

    def __init__(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
            )

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, code: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Run ``code`` as the main program; what it prints goes to the child's ``stdout``."""
        request = {"code": code, "arguments": list(arguments), "environment": dict(environment)}
        output, its_output = os.pipe()
        self._socket.settimeout(120.0)
        socket.send_fds(
            self._socket, [json.dumps(request | {"cwd": os.getcwd()}).encode()], [its_output]
        )
        os.close(its_output)
        return Child(self, int(self._socket.recv(MESSAGE)), output)

    def status(self, pid: int) -> int:
        """The exit status of a child that has ended."""
        self._socket.send(json.dumps({"ended": pid}).encode())
        return int(self._socket.recv(MESSAGE))


class Child:
    """A process that the nursery started, with the methods of subprocess.Popen."""

    def __init__(self, nursery: Nursery, pid: int, output: int) -> None:
        self._nursery, self.pid = nursery, pid
        self._pidfd = os.pidfd_open(pid)
        self.stdout = os.fdopen(output, errors="replace")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._pidfd], [], [], 0.0)[0]:
            self.returncode = self._nursery.status(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            select.select([self._pidfd], [], [], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return status

    def communicate(self, timeout: float | None = None) -> tuple[str, None]:
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(self.stdout.read()), daemon=True)
        reader.start()
        reader.join(timeout)
        if reader.is_alive():
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        self.wait(timeout)
        return said[0], None

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._pidfd, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End it if it still runs."""
        self.kill()
        self.wait()
        self.stdout.close()
        os.close(self._pidfd)


def import_all_but_ros() -> None:
    """What nodes work with. ROS imports fast, and its libraries have threads, which no fork has."""
    importlib.import_module("torch")
    sys.modules.update(dict.fromkeys(OPTIONAL))  # importing them fails
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            with suppress(ImportError):
                importlib.import_module(module.name)
    for library in OPTIONAL:
        del sys.modules[library]
    gc.freeze()


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Answer requests until there are no more; in a child, give the request that it is to run."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MESSAGE, 1)
        if not message:
            return None
        request = json.loads(message)
        if "ended" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["ended"], 0)[1])
        elif not (answer := os.fork()):
            requests.close()
            for standard in (1, 2):
                os.dup2(descriptors[0], standard)
            os.close(descriptors[0])
            return request
        else:
            os.close(descriptors[0])
        requests.send(str(answer).encode())


def main() -> None:
    import_all_but_ros()
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = ["", *(path for path in paths if path and path not in sys.path)]
    sys.argv = ["-c", *request["arguments"]]
    exec(compile(request["code"], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
