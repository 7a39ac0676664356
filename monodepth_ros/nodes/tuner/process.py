"""`monodepth tune` as a process of the lowest priority that ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from monodepth_ros.nodes.tuner.machine_state import session_memory_mb

_LAST_BYTES = 2000


class TuningProcess:
    """The process; it can be paused, resumed, and stopped with a checkpoint."""

    def __init__(self, arguments: list[str], log: Path, threads: int) -> None:
        """Start it; its output is appended to ``log``."""
        self.paused = False
        command = [sys.executable, "-m", "monodepth_ros.cli.app", "tune", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "NO_COLOR": "1"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--owner", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    @property
    def status(self) -> int | None:
        """Exit status; None while it runs."""
        return self._process.poll()

    @property
    def memory_mb(self) -> float:
        """Anonymous memory of it and its children, in 10^6 bytes."""
        return session_memory_mb(self._process.pid)

    def pause(self) -> None:
        """Suspend it."""
        if not self.paused:
            self._signal(signal.SIGSTOP)
            self.paused = True

    def resume(self) -> None:
        """Resume it after a pause."""
        if self.paused:
            self._signal(signal.SIGCONT)
            self.paused = False

    def stop(self, seconds: float) -> None:
        """Terminate it; it writes a checkpoint if that takes no more than ``seconds``."""
        self.resume()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def last_line(log: Path) -> str:
    """The last non-empty line of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
