"""How hot a machine is, and how much power it draws, as Linux tells it."""

from __future__ import annotations

import math
from pathlib import Path

_ZONES = Path("/sys/class/thermal")
_SENSORS = Path("/sys/class/hwmon")


def temperature(zones: Path = _ZONES) -> float:
    """Degrees Celsius of the hottest thermal zone, NaN where the machine has none."""
    found = [_number(file) / 1000.0 for file in zones.glob("thermal_zone*/temp")]
    return max((value for value in found if not math.isnan(value)), default=math.nan)


def power(sensor: str = "", sensors: Path = _SENSORS) -> float:
    """Watts, NaN where nothing tells.

    Of the file ``sensor``, in microwatts, else the sum of all power sensors of the machine, or of
    voltages times currents where it has those instead, as on a Jetson.
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


def _number(file: Path) -> float:
    try:
        return float(file.read_text())
    except (OSError, ValueError):
        return math.nan
