"""What the speed of an engine depends on besides the model: the machine and the libraries."""

from __future__ import annotations

import hashlib
import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_CPU_LINES = ("model name", "flags", "Features", "CPU implementer", "CPU part", "CPU variant")


def machine_facts(root: Path = Path("/")) -> dict[str, str]:
    """CPU, its features, the cores that this process may use, board and GPUs; empty if unknown.

    ``root`` is where ``proc`` lies. A GPU is known by its driver: no library is loaded.
    """
    cpu: dict[str, str] = {}
    for line in _text(root / "proc/cpuinfo").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key in _CPU_LINES:
            cpu.setdefault(key, value)
    features = cpu.pop("flags", "") or cpu.pop("Features", "")
    gpus = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    return {
        "cpu": " ".join(cpu.values()) or platform.machine(),
        "features": hashlib.sha256(features.encode()).hexdigest()[:12],
        "cores": str(len(os.sched_getaffinity(0))),
        "board": _text(root / "proc/device-tree/model").strip("\0"),
        "gpus": ", ".join(_gpu_name(_text(path)) for path in gpus),
    }


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether there is a driver for CUDA, a PC's or a Jetson's."""
    return any((root / place).exists() for place in ("proc/driver/nvidia/gpus", "dev/nvmap"))


def library_versions(engines: list[str]) -> dict[str, str]:
    """Of this package and of the libraries of ``engines``, which are called alike."""
    found = {}
    for name in ("monodepth_ros", *engines, *(f"{engine}-gpu" for engine in engines)):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _gpu_name(information: str) -> str:
    lines = (line.partition(":") for line in information.splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "Model"), "GPU")


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace")
    return ""
