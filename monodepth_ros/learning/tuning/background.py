"""A tuning beside a robot's work: it runs when idle, and takes no more than its share of a GPU."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from monodepth_ros.errors import UserError

_PR_SET_PDEATHSIG = 1


def limit_gpu(share: float) -> None:
    """Take at most this share of a GPU's memory."""
    import torch

    if share < 1.0 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def stay_in_the_background(owner: int) -> None:
    """Run when nothing else wants to, and end when the process that started this one is gone."""
    os.nice(19)
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:
        raise UserError(f"--owner {owner}: is not the process that started this one")
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
