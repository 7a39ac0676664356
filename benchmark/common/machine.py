"""What a benchmark ran on: goes into every JSON file."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

# What the speed of networks depends on.
_INSTRUCTIONS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16",
    "amx_int8", "asimd", "asimddp", "i8mm", "bf16",
)  # fmt: skip
_PACKAGES = ("numpy", "torch", "openvino", "onnxruntime", "opencv-python-headless")


def describe_machine() -> dict[str, Any]:
    """Processor, instructions, cores, memory, load, GPUs and versions; asked before measuring."""
    facts = _cpu_facts()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return {
        "processor": facts.get("model name", platform.processor() or platform.machine()),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "gpus": _gpus(),
        "load_before": os.getloadavg()[0],
        "versions": {"python": platform.python_version(), **_versions()},
    }


def is_busy(machine: dict[str, Any]) -> bool:
    """Whether other work ran when a benchmark began, so that its figures are doubtful."""
    return bool(machine["load_before"] > 0.5)


def _cpu_facts() -> dict[str, str]:
    """Of the first core, as Linux states them."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    first = file.read_text().partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _gpus() -> list[str]:
    """Name, memory and driver of each, as the driver's tool states them."""
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else []


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
