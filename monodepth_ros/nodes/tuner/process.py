"""`monodepth tune` as a process of the lowest priority, which ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from monodepth_ros.nodes.tuner.machine_state import own_megabytes

_LAST_BYTES = 2000


class TuningProcess:
    """The process: paused and continued at any moment, and stopped so that it can go on later."""

    def __init__(self, arguments: list[str], log: Path, threads: int) -> None:
        """Start it. ``log`` gets what it prints, behind what earlier ones have printed."""
        self.log = log
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
        """Exit status, None while it runs."""
        return self._process.poll()

    @property
    def megabytes(self) -> float:
        """Of memory that it and its children have for themselves."""
        return own_megabytes(self._process.pid)

    def pause(self) -> None:
        """Take the CPU away from it."""
        if not self.paused:
            self._signal(signal.SIGSTOP)
            self.paused = True

    def go_on(self) -> None:
        """Give it back."""
        if self.paused:
            self._signal(signal.SIGCONT)
            self.paused = False

    def stop(self, seconds: float) -> None:
        """End it, with a checkpoint if that is written within ``seconds``."""
        self.go_on()
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def last_line(self) -> str:
        """What it has said last."""
        return last_line(self.log)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, number)


def last_line(log: Path) -> str:
    """The last line of a log that says anything."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
