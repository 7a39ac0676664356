"""Processes that run beside a benchmark, and what they take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running(
    commands: Sequence[list[str]], cores: Sequence[set[int]] | None = None
) -> Iterator[list[int]]:
    """Python programs, each on its ``cores`` if given, that end with the block; their ids.

    A command is the program's text and its arguments.
    """
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            processes.append(subprocess.Popen([sys.executable, "-c", *command]))
            if cores is not None:
                os.sched_setaffinity(processes[-1].pid, cores[number])
        yield [process.pid for process in processes]
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
