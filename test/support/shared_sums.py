"""Processes of rank 1 of 2 that sum parts: a slow one, and one that dies."""

import os
import signal
import time

from monodepth_ros.shared_work import SharedWork

PARTS = {f"part{number}": range(10 * number, 10 * number + 3) for number in range(7)}


def _as_second(folder):
    os.environ.update(RANK="1", WORLD_SIZE="2")
    return SharedWork(folder, "numbers")


def slow_rank(folder):
    def sums(parts):
        for part in parts:
            time.sleep(0.3)
            yield sum(part)

    _as_second(folder).results(PARTS, sums, len)


def rank_that_dies(folder):
    def sums(parts):
        yield sum(parts[0])
        os.kill(os.getpid(), signal.SIGKILL)

    _as_second(folder).results(PARTS, sums, len)


def sum_or_die(numbers):
    """Their sum, but no process survives a 13."""
    if 13 in numbers:
        os.kill(os.getpid(), signal.SIGKILL)
    return sum(numbers), os.getpid()


def sleep_or_return(seconds):
    time.sleep(seconds)
    return os.getpid()
