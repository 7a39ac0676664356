"""Temperature, power and memory use, as Linux reports them."""

from __future__ import annotations

import math
from pathlib import Path

_ZONES = Path("/sys/class/thermal")
_PROCESSES = Path("/proc")
_SENSORS = Path("/sys/class/hwmon")


def temperature(zones: Path = _ZONES) -> float:
    """Degrees Celsius of the hottest thermal zone; NaN without one."""
    found = [_number(file) / 1000.0 for file in zones.glob("thermal_zone*/temp")]
    return max((value for value in found if not math.isnan(value)), default=math.nan)


def power(sensor: str = "", sensors: Path = _SENSORS) -> float:
    """Power in watts; NaN without a sensor.

    Read from the file ``sensor`` (microwatts); by default the sum of all power sensors, or of
    voltage times current where a device has these instead, such as a Jetson.
    """
    if sensor:
        return _number(Path(sensor)) / 1e6
    total, known = 0.0, False
    for device in sorted(sensors.glob("hwmon*")):
        watts = [_number(file) / 1e6 for file in device.glob("power*_input")]
        if not watts:
            watts = [
                _number(device / file.name.replace("curr", "in")) * _number(file) / 1e6
                for file in device.glob("curr*_input")
            ]
        measured = [value for value in watts if not math.isnan(value)]
        total, known = total + sum(measured), known or bool(measured)
    return total if known else math.nan


def session_memory_mb(session: int, processes: Path = _PROCESSES) -> float:
    """Anonymous memory, resident and swapped, of the processes of a session, in 10^6 bytes.

    Pages of files, such as a memory-mapped cache, do not count: Linux reclaims them when needed.
    """
    kilobytes = 0.0
    for folder in processes.glob("[0-9]*"):
        if _session(folder) == session:
            kilobytes += _anonymous_kilobytes(folder)
    return kilobytes * 1024 / 1e6


def _session(process: Path) -> int:
    try:  # behind the name, which may hold anything: state, parent, group, session
        return int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[3])
    except (OSError, ValueError, IndexError):  # it has ended
        return -1


def _anonymous_kilobytes(process: Path) -> float:
    try:
        lines = (process / "status").read_text(errors="replace").splitlines()
    except OSError:
        return 0.0
    sizes = (line.split() for line in lines if line.startswith(("RssAnon:", "VmSwap:")))
    return sum(float(words[1]) for words in sizes)


def _number(file: Path) -> float:
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return math.nan
