"""What of a machine belongs to this process, where torchrun started several on it."""

from __future__ import annotations

import os
from pathlib import Path

_GPUS = Path("/proc/driver/nvidia/gpus")


def processes_here() -> int:
    """How many processes torchrun started on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE") or 1)


def cores() -> int:
    """Cores for this process; at least 1."""
    return max(1, len(os.sched_getaffinity(0)) // processes_here())


def take_gpu() -> None:
    """Let CUDA show this process one GPU of its own; call it before CUDA is used.

    Processes and GPUs are paired by number, and in a circle where there are fewer GPUs.
    """
    if processes_here() == 1:
        return
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is None:
        count = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
        seen = ",".join(map(str, range(count)))
    if gpus := [gpu for gpu in seen.split(",") if gpu]:
        own = int(os.environ.get("LOCAL_RANK") or 0) % len(gpus)
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[own]
